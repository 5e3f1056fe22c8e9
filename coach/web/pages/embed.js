// The tags as somebody wants them, and how that looks.
const $ = (id) => document.getElementById(id);
const shown = $("shown");
const first = $("tags").textContent.split("\n<reflection-coach")[0];
const endpoint = $("tags").textContent.match(/endpoint="([^"]*)"/)[1];
const DEFAULTS = { accent: $("accent").value, radius: $("radius").value };

/** Text as it stands in an attribute. */
const quoted = (text) => text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");

function attributes() {
  const chosen = { lang: $("lang").value, theme: $("theme").value, functions: $("functions").value.trim(), key: $("key").value.trim() };
  if ($("count").value !== "3" && $("count").validity.valid) chosen.count = $("count").value;
  const found = Object.entries(chosen).filter(([, value]) => value);
  for (const name of ["compact", "store"]) if ($(name).checked) found.push([name, ""]);
  return found;
}

function looks() {
  const found = [];
  if ($("accent").value !== DEFAULTS.accent) found.push(["--rc-accent", $("accent").value]);
  if ($("radius").value !== DEFAULTS.radius) found.push(["--rc-radius", `${$("radius").value}px`]);
  return found;
}

function draw() {
  const chosen = attributes();
  const style = looks();
  for (const { name } of [...shown.attributes]) if (name !== "id" && name !== "style") shown.removeAttribute(name);
  for (const [name, value] of chosen) if (name !== "store") shown.setAttribute(name, value); // what is tried here is not kept
  shown.style.cssText = "";
  for (const [name, value] of style) shown.style.setProperty(name, value);
  shown.reset?.();
  const tag = ["<reflection-coach", `endpoint="${endpoint}"`, ...chosen.map(([name, value]) => (value ? `${name}="${quoted(value)}"` : name))].join(" ");
  const sheet = style.length ? `\n<style>reflection-coach { ${style.map(([name, value]) => `${name}: ${value};`).join(" ")} }</style>` : "";
  $("tags").textContent = `${first}\n${tag}></reflection-coach>${sheet}`;
}

$("options").addEventListener("input", draw);
$("options").addEventListener("submit", (event) => event.preventDefault());
$("copy").addEventListener("click", async () => {
  await navigator.clipboard.writeText($("tags").textContent);
  $("copied").textContent = "Copied.";
});
