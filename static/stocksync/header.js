/* "/" goes to the search; Escape, or a click elsewhere, folds what has been unfolded. */
"use strict";

(() => {
  const writing = (target) =>
    target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.nodeName);

  const fold = (except) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(except)) menu.open = false;
    }
  };

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      const menu = event.target.closest("details.menu[open]");
      fold(null);
      menu?.querySelector("summary").focus();
    }
    const search = document.querySelector("#search input");
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
    if (event.key === "/" && plain && search && !writing(event.target)) {
      event.preventDefault();
      search.focus();
      search.select();
    }
  });

  document.addEventListener("click", (event) => fold(event.target));
})();
