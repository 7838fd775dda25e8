// The fleet on a map: shapes say how things are, near ones cluster, shops are outlines. Works without tiles.
import { t } from "./words.js";
/* global L */
const RANK = { critical: 3, major: 2, minor: 1, info: 1, ok: 0 };
const NAMED = { critical: t("critical"), major: t("major"), minor: t("minor"), info: t("info"), ok: t("well") };
const SHAPES = {
  critical: "M6 .8 11.6 11H.4z", major: "M6 .3 11.7 6 6 11.7.3 6z",
  minor: "M6 1.4a4.6 4.6 0 1 0 0 9.2 4.6 4.6 0 0 0 0-9.2z", info: "M6 1.4a4.6 4.6 0 1 0 0 9.2 4.6 4.6 0 0 0 0-9.2z", ok: "M6 1a5 5 0 1 0 0 10A5 5 0 0 0 6 1z",
};
const CELL_PX = 44;
const CLUSTER_PX = 34;
const LABELS_FROM_ZOOM = 11;

function dot(severity) {
  const size = severity === "ok" ? 10 : 16;
  const svg = `<svg viewBox="0 0 12 12" fill="currentColor"><path d="${SHAPES[severity]}"/></svg>`;
  return L.divIcon({ className: `dot sev-${severity} ${severity}`, html: svg, iconSize: [size, size] });
}

function text(value) { return document.createTextNode(value ?? ""); }

function graticule(map) {
  const layer = L.layerGroup().addTo(map);
  const draw = () => {
    layer.clearLayers();
    const bounds = map.getBounds().pad(0.2);
    const width = bounds.getEast() - bounds.getWest();
    const step = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 45].find((size) => width / size < 9) || 45;
    const line = (points) => L.polyline(points, { className: "graticule", interactive: false }).addTo(layer);
    for (let lon = Math.ceil(bounds.getWest() / step) * step; lon < bounds.getEast(); lon += step) line([[bounds.getSouth(), lon], [bounds.getNorth(), lon]]);
    for (let lat = Math.ceil(bounds.getSouth() / step) * step; lat < bounds.getNorth(); lat += step) line([[lat, bounds.getWest()], [lat, bounds.getEast()]]);
  };
  map.on("moveend", draw);
  draw();
}

export function base(element) {
  const map = L.map(element, { zoomControl: true, attributionControl: Boolean(element.dataset.tiles), zoomAnimation: !matchMedia("(prefers-reduced-motion: reduce)").matches });
  L.control.scale({ imperial: false }).addTo(map);
  return map;
}

export function finish(map, element) {
  if (element.dataset.tiles) L.tileLayer(element.dataset.tiles, { attribution: element.dataset.attribution, maxZoom: 19 }).addTo(map);
  else graticule(map);
}

/** Gather [point, thing] into lists of things: by square, and squares whose middles are too near for both to be read. */
export function near(placed, apart = CLUSTER_PX) {
  const cells = new Map();
  for (const [point, thing] of placed) {
    const key = `${Math.floor(point.x / CELL_PX)}:${Math.floor(point.y / CELL_PX)}`;
    const cell = cells.get(key) ?? { x: 0, y: 0, things: [] };
    cell.x += point.x;
    cell.y += point.y;
    cell.things.push(thing);
    cells.set(key, cell);
  }
  const groups = [];
  for (const cell of [...cells.values()].sort((a, b) => b.things.length - a.things.length)) {
    const x = cell.x / cell.things.length, y = cell.y / cell.things.length;
    const host = groups.find((group) => Math.hypot(group.x - x, group.y - y) < apart);
    if (host) host.things.push(...cell.things); else groups.push({ x, y, things: cell.things });
  }
  return groups.map((group) => group.things);
}

function clusters(map, devices, layer) {
  layer.clearLayers();
  for (const group of near(devices.map((device) => [map.project([device.lat, device.lon]), device]))) {
    const worst = group.reduce((a, b) => (RANK[b.severity] > RANK[a.severity] ? b : a));
    if (group.length === 1 || map.getZoom() >= 18) group.forEach((device) => mark(device, layer));
    else {
      const lat = group.reduce((sum, device) => sum + device.lat, 0) / group.length;
      const lon = group.reduce((sum, device) => sum + device.lon, 0) / group.length;
      const icon = L.divIcon({ className: `sev-${worst.severity}`, html: `<span class="cluster">${group.length}</span>`, iconSize: [30, 30] });
      L.marker([lat, lon], { icon, title: t("{1} devices, the worst is {2}", group.length, NAMED[worst.severity]), keyboard: true })
        .on("click", () => map.fitBounds(L.latLngBounds(group.map((device) => [device.lat, device.lon])).pad(0.4), { maxZoom: 18 })).addTo(layer);
    }
  }
}

function mark(device, layer) {
  if (device.accuracy_m) L.circle([device.lat, device.lon], { radius: device.accuracy_m, weight: 1, color: "currentColor", className: `sev-${device.severity}`, fillOpacity: 0.06, interactive: false }).addTo(layer);
  const about = document.createElement("div");
  const name = document.createElement("b");
  name.append(text(device.label));
  about.append(name, document.createElement("br"), text([device.customer, device.site, NAMED[device.severity]].filter(Boolean).join(" · ")));
  L.marker([device.lat, device.lon], { icon: dot(device.severity), title: device.label, alt: `${device.label}, ${NAMED[device.severity]}`, zIndexOffset: RANK[device.severity] * 1000 })
    .bindTooltip(about, { direction: "top", offset: [0, -8] })
    .on("click", () => { location.href = `/devices/${encodeURIComponent(device.id)}`; }).addTo(layer);
  if (RANK[device.severity] >= 2) {
    const named = document.createElement("span");
    named.append(text(device.label));
    L.circleMarker([device.lat, device.lon], { radius: 0, stroke: false, interactive: false }).bindTooltip(named, { permanent: true, direction: "right", className: "device-label", offset: [8, 0] }).addTo(layer);
  }
}

// A few far away must not shrink the city to a dot: unless all lie within reach, the nearest seven tenths decide the view.
function mostOf(points) {
  const middle = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
  const centre = L.latLng(middle(points.map((p) => p.lat)), middle(points.map((p) => p.lng)));
  const near = [...points].sort((a, b) => centre.distanceTo(a) - centre.distanceTo(b));
  const most = near.slice(0, Math.max(1, Math.ceil(near.length * 0.7)));
  const reach = (list) => centre.distanceTo(list[list.length - 1]);
  return reach(near) > 8 * reach(most) ? most : near;
}

async function fleet(element) {
  const answer = await fetch(element.dataset.source).catch(() => null);
  if (!answer?.ok) return;
  const data = await answer.json();
  const note = document.querySelector("[data-map-note]");
  if (data.unplaced && note) note.textContent = t("{1} without a place. Things only: a person's phone is on no map.", data.unplaced);
  const map = base(element);
  const points = [...data.devices, ...data.shops].map((place) => L.latLng(place.lat, place.lon));
  if (points.length) map.fitBounds(L.latLngBounds(mostOf(points)).pad(0.08), { maxZoom: 15 }); else map.setView([30, 10], 2);
  finish(map, element);
  const labels = [];
  for (const shop of data.shops) {
    const circle = L.circle([shop.lat, shop.lon], { radius: shop.radius_m, weight: 1.5, dashArray: "4 4", color: "#7a7f8a", fillOpacity: 0.04, interactive: false }).addTo(map);
    const label = document.createElement("span");
    label.append(text(shop.name));
    labels.push([circle, label]);
  }
  const name = () => labels.forEach(([circle, label]) => {
    circle.unbindTooltip();
    // From afar the names of a city's shops lie on one another.
    if (map.getZoom() >= LABELS_FROM_ZOOM) circle.bindTooltip(label, { permanent: true, direction: "bottom", className: "shop-label", offset: [0, 4] });
  });
  map.on("zoomend", name);
  name();
  const layer = L.layerGroup().addTo(map);
  const draw = () => clusters(map, data.devices, layer);
  map.on("zoomend", draw);
  draw();
  element.dataset.ready = "true";
}

function single(element) {
  const { lat, lon, accuracy, severity, label } = element.dataset;
  const map = base(element);
  map.setView([Number(lat), Number(lon)], 15);
  finish(map, element);
  if (accuracy) L.circle([Number(lat), Number(lon)], { radius: Number(accuracy), weight: 1, color: "#2f6fd1", fillOpacity: 0.08 }).addTo(map);
  L.marker([Number(lat), Number(lon)], { icon: dot(severity in SHAPES ? severity : "ok"), alt: label, title: label }).addTo(map);
  element.dataset.ready = "true";
}

export function startMap() {
  const element = document.querySelector("[data-map]");
  if (!element || typeof L === "undefined") return;
  if (element.dataset.source) fleet(element); else single(element);
}
