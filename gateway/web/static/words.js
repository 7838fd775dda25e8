// What scripts say, in the page's language: the English text is the key, {1}, {2}, … are put in.
const said = JSON.parse(document.getElementById("words")?.textContent || "{}");

export function t(msgid, ...put) {
  return (said[msgid] || msgid).replace(/\{(\d+)\}/g, (_, number) => put[number - 1]);
}
