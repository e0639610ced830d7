/* The cells of a heatmap by keyboard: one stop of Tab in each row, arrows from there.
   Without it each cell is a stop of its own. */
"use strict";

(() => {
  const rows = [...document.querySelectorAll(".chart-heatmap svg.plot-strip")]
    .map((row) => [...row.querySelectorAll("a")]).filter((cells) => cells.length);

  const stop = (cells, at) => cells.forEach(
    (cell, n) => cell.setAttribute("tabindex", n === at ? "0" : "-1"));

  const moved = (key, row, at) => {
    const last = rows[row].length - 1;
    if (key === "ArrowLeft") return [row, Math.max(0, at - 1)];
    if (key === "ArrowRight") return [row, Math.min(last, at + 1)];
    if (key === "ArrowUp") return [Math.max(0, row - 1), at];
    if (key === "ArrowDown") return [Math.min(rows.length - 1, row + 1), at];
    if (key === "Home") return [row, 0];
    return key === "End" ? [row, last] : null;
  };

  const press = (event) => {
    const row = rows.findIndex((cells) => cells.includes(event.target));
    const to = row < 0 || event.ctrlKey || event.altKey || event.metaKey ? null
      : moved(event.key, row, rows[row].indexOf(event.target));
    if (!to) return;
    event.preventDefault();
    const cells = rows[to[0]];
    const at = Math.min(to[1], cells.length - 1);
    stop(cells, at);
    cells[at].focus();
  };

  // The newest day, unless one is chosen.
  const chosen = new URLSearchParams(location.search);
  rows.forEach((cells) => {
    const at = cells.findIndex((cell) => {
      const asked = new URLSearchParams(cell.getAttribute("href").split("#")[0].split("?")[1]);
      return chosen.get("day") === asked.get("day");
    });
    stop(cells, at < 0 ? cells.length - 1 : at);
  });
  document.addEventListener("keydown", press);
})();
