"use strict";
const all = (what, root = document) => [...root.querySelectorAll(what)];
const made = (tag, text, attributes = {}) => {
  const one = document.createElement(tag);
  one.textContent = text;
  for (const [name, value] of Object.entries(attributes)) one.setAttribute(name, value);
  return one;
};
const copied = (text, button) => {
  const done = () => { const before = button.textContent; button.textContent = "copied"; setTimeout(() => (button.textContent = before), 1200); };
  const area = made("textarea", text);
  document.body.append(area);
  area.select();
  // A page that was opened as a file may have no other way to the clipboard.
  if (document.execCommand("copy")) done();
  area.remove();
};
const csv = (table) => all("tr", table).filter((row) => !row.hidden).map((row) => [...row.cells].map((cell) => {
  const own = cell.cloneNode(true);
  all("small,.to", own).forEach((one) => one.prepend(" "));
  all(".to,.mark", own).forEach((one) => one.remove());
  return `"${own.textContent.replace(/\s+/g, " ").replace(/\u2212/g, "-").trim().replace(/"/g, '""')}"`;
}).join(",")).join("\n") + "\n";
for (const table of all("table.sortable, table.verdicts")) {
  const box = table.parentElement, bar = made("div", "", { class: "bar" }), body = all("tbody tr", table);
  if (body.length > 8) {
    const name = box.getAttribute("aria-label");
    const input = made("input", "", { type: "search", placeholder: "Filter rows", "aria-label": `Filter rows: ${name}` });
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      body.forEach((row) => (row.hidden = !row.classList.contains("group") && !words.every((word) => row.textContent.toLowerCase().includes(word))));
    });
    bar.append(input);
  }
  const button = made("button", "Copy as CSV", { type: "button" });
  button.addEventListener("click", () => copied(csv(table), button));
  bar.append(button);
  box.before(bar);
  for (const row of body) if (row.id) {
    const link = made("a", "#", { class: "to", href: `#${row.id}`, "aria-label": "Link to this row" });
    (row.querySelector("small") ?? { before: (one) => row.cells[0].append(one) }).before(link);
  }
}
for (const table of all("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = made("button", "", { type: "button" });
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const key = (row) => {
        const cell = row.cells[column], text = cell.textContent.trim();
        if (cell.dataset.value !== undefined || !cell.classList.contains("n")) return cell.dataset.value ?? text;
        // Without a value of its own a figure is the first number of its text; a dash is none.
        const figure = parseFloat(text.replace(/\u202f/g, "").replace(/\u2212/g, "-"));
        return isNaN(figure) ? "" : String(figure);
      };
      const rows = [...table.tBodies[0].rows].sort((a, b) => {
        const [x, y] = [key(a), key(b)];
        // A cell without a figure stays last whichever way the column runs.
        if (x === "" || y === "") return (x === "") - (y === "");
        const order = isNaN(x) || isNaN(y) ? x.localeCompare(y, undefined, { numeric: true }) : x - y;
        return up ? order : -order;
      });
      table.tBodies[0].append(...rows);
    });
  });
}
for (const head of all("h2[id]")) {
  head.append(made("a", "#", { class: "to", href: `#${head.id}`, "aria-label": `Link to ${head.textContent}` }));
}
for (const code of all("pre")) {
  const button = made("button", "copy", { type: "button", class: "copy" });
  button.addEventListener("click", () => copied(code.querySelector("code").textContent + "\n", button));
  code.append(button);
}
// Series of a plot can be switched off, each in all of its panels.
for (const figure of all("figure")) {
  const names = [...new Set(all("[data-series]", figure).map((one) => one.dataset.series))];
  if (names.length < 2) continue;
  const bar = made("div", "", { class: "bar", role: "group", "aria-label": "Series" });
  const shown = new Set(names);
  const draw = () => {
    all("[data-series]", figure).forEach((one) => (one.style.display = shown.has(one.dataset.series) ? "" : "none"));
    all("button[aria-pressed]", bar).forEach((one) => one.setAttribute("aria-pressed", shown.has(one.textContent)));
  };
  for (const name of names) {
    const chip = made("button", name, { type: "button", "aria-pressed": "true" });
    const pen = figure.querySelector(`[data-series="${CSS.escape(name)}"] path`);
    if (pen) chip.style.setProperty("--pen", getComputedStyle(pen).stroke);
    chip.addEventListener("click", () => { shown.delete(name) || shown.add(name); draw(); });
    bar.append(chip);
  }
  for (const [text, kept] of [["all", names], ["none", []]]) {
    const button = made("button", text, { type: "button" });
    button.addEventListener("click", () => { shown.clear(); kept.forEach((one) => shown.add(one)); draw(); });
    bar.append(button);
  }
  figure.prepend(bar);
}
// A value at every point: at once, and where a mark is small also beside it.
const tip = made("div", "", { id: "tip", role: "status", hidden: "" });
document.body.append(tip);
for (const at of all("svg .at")) if (at.querySelector("title")) {
  at.dataset.tip = at.querySelector("title").textContent;
}
addEventListener("pointermove", (event) => {
  const at = event.target.closest?.("[data-tip]");
  tip.hidden = !at;
  if (!at) return;
  tip.textContent = at.dataset.tip;
  const wide = tip.offsetWidth + 12;
  tip.style.left = `${Math.max(4, event.clientX + 14 + wide > innerWidth ? event.clientX - wide : event.clientX + 14)}px`;
  tip.style.top = `${Math.max(4, event.clientY - 34)}px`;
});
const unfold = () => {
  const goal = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let one = goal?.parentElement; one; one = one.parentElement) if (one.tagName === "DETAILS") one.open = true;
  if (goal) goal.scrollIntoView();
};
addEventListener("hashchange", unfold);
unfold();
// Paper cannot be clicked.
addEventListener("beforeprint", () => all("details").forEach((one) => (one.open = true)));
