// Starts the modules of `data`, a JSON text: file name to source, each after those that it imports.
export default async function ({ data }) {
  const { promise, resolve } = (globalThis.seeTheFilters ??= Promise.withResolvers());
  if (globalThis.seeTheFilters.started) return promise;
  globalThis.seeTheFilters.started = true;
  const { modules, style } = JSON.parse(new TextDecoder().decode(data));
  const urls = {};
  const link = (_, file) => `from "${urls[file]}"`;
  for (const [file, source] of Object.entries(modules)) {
    const linked = source.replace(/from "\.\/(\w+\.js)"/g, link);
    urls[file] = URL.createObjectURL(new Blob([linked], { type: "text/javascript" }));
  }
  const main = await import(urls["main.js"]);
  main.start(style);
  resolve(main);
}
