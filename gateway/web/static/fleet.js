// The fleet on a map: the server gathers devices into squares, as wide as the zoom asks for; 100,000 weigh no more than 100.
/* global L */
import { base, finish, near } from "./map.js";
import { t } from "./words.js";

const CELL_PX = 56;
const WAIT_MS = 150;

function stepOf(map) {
  const bounds = map.getBounds();
  return (CELL_PX * (bounds.getEast() - bounds.getWest())) / Math.max(1, map.getSize().x);
}

function icon(cell) {
  const size = Math.round(Math.min(46, 20 + 4 * Math.log2(cell.devices)));
  const span = document.createElement("span");
  span.className = cell.failing ? "cell bad" : "cell";
  span.style.width = span.style.height = `${size}px`;
  span.textContent = cell.failing || cell.devices;
  return L.divIcon({ className: "", html: span, iconSize: [size, size] });
}

function together(group) {
  const sum = (value) => group.reduce((total, cell) => total + value(cell), 0);
  const devices = sum((cell) => cell.devices);
  const mean = (side) => sum((cell) => cell[side] * cell.devices) / devices;
  return { devices, failing: sum((cell) => cell.failing), lat: mean("lat"), lon: mean("lon") };
}

function draw(map, layer, cells) {
  layer.clearLayers();
  for (const group of near(cells.map((cell) => [map.project([cell.lat, cell.lon]), cell]), 40)) {
    const cell = together(group);
    const said = cell.failing ? t("{1} of {2} devices have a fault", cell.failing, cell.devices) : t("{1} devices, all well", cell.devices);
    L.marker([cell.lat, cell.lon], { icon: icon(cell), title: said, alt: said, zIndexOffset: cell.failing ? 1000 : 0 })
      .on("click", () => map.setView([cell.lat, cell.lon], Math.min(18, map.getZoom() + 2))).addTo(layer);
  }
}

async function cellsOf(query) {
  const answer = await fetch(`/fleet/map.json?${query}`).catch(() => null);
  return answer?.ok ? (await answer.json()).cells : null;
}

async function start(element) {
  const map = base(element);
  const all = (await cellsOf("step=0.05")) || [];
  if (all.length) map.fitBounds(L.latLngBounds(all.map((cell) => [cell.lat, cell.lon])).pad(0.15), { maxZoom: 13, animate: false });
  else map.setView([30, 10], 2);
  finish(map, element);
  const layer = L.layerGroup().addTo(map);
  const show = async () => {
    const bounds = map.getBounds().pad(0.2);
    const within = [bounds.getSouth(), bounds.getWest(), bounds.getNorth(), bounds.getEast()].map((degrees) => degrees.toFixed(4)).join(",");
    const cells = await cellsOf(`step=${stepOf(map).toFixed(5)}&bounds=${within}`);
    if (cells) draw(map, layer, cells);
    element.dataset.ready = "true";
  };
  let waiting = 0;
  map.on("moveend", () => { clearTimeout(waiting); waiting = setTimeout(show, WAIT_MS); });
  await show();
}

const element = document.querySelector("[data-fleet-map]");
if (element && typeof L !== "undefined") start(element);
