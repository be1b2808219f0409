// Loads JavaScript modules that came in one string, once per page load. modules.py puts the constants
// NAME and SOURCES before this text, and the component's own function after it. SOURCES has the text
// of each file by the path that the others import it by, in an order in which imports come first.
function load() {
  const urls = {};
  const link = (_, path) => `from "${urls[path]}"`;
  for (const [path, text] of Object.entries(SOURCES)) {
    const source = path.endsWith(".css")
      ? `export default ${JSON.stringify(text)};`
      : text.replace(/from "(\.[\w./]+)"/g, link);
    urls[path] = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  }
  return import(urls["./main.js"]);
}

const loading = ((globalThis.seeTheFilters ??= {})[NAME] ??= Promise.withResolvers());
if (!loading.started) {
  loading.started = true;
  loading.resolve(load());
}
