// Starts the modules and hands them a network. `data`: the length in bytes of a JSON text (uint32,
// little-endian), the text, which has file name to source, each after those that it imports, and the
// network's packet, if the page needs one.
export default async function ({ data }) {
  const end = 4 + new DataView(data.buffer, data.byteOffset).getUint32(0, true);
  const main = await started(data.subarray(4, end));
  if (end < data.length) main.receive({ data: data.subarray(end) });
}

function started(code) {
  const ready = (globalThis.seeTheFilters ??= Promise.withResolvers());
  if (!ready.started) {
    ready.started = true;
    ready.resolve(start(code));
  }
  return ready.promise;
}

async function start(code) {
  const { modules, style } = JSON.parse(new TextDecoder().decode(code));
  const urls = {};
  const link = (_, file) => `from "${urls[file]}"`;
  for (const [file, source] of Object.entries(modules)) {
    const linked = source.replace(/from "\.\/(\w+\.js)"/g, link);
    urls[file] = URL.createObjectURL(new Blob([linked], { type: "text/javascript" }));
  }
  const main = await import(urls["main.js"]);
  main.start(style);
  return main;
}
