"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
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
// Paper cannot be clicked.
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => (one.open = true)));
