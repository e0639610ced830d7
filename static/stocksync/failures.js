/* What a retry of the chosen failures costs, said beside the actions. */
"use strict";

(() => {
  const address = document.currentScript.dataset.cost;
  const form = document.getElementById("changelist-form");
  const actions = form && form.querySelector(".actions");
  if (!actions) return;
  const said = document.createElement("span");
  said.className = "cost quiet";
  said.setAttribute("role", "status");
  actions.append(said);
  let waiting = null;
  let asked = 0;

  const chosen = () => [...form.querySelectorAll("input.action-select:checked")].map((box) => box.value);
  const everything = () => {
    const across = form.querySelector("input.select-across");
    return across && across.value === "1";
  };
  const tell = async () => {
    const ids = chosen();
    const number = ++asked;
    if (!ids.length || everything()) { said.textContent = ""; return; }
    try {
      const answer = await fetch(`${address}?ids=${ids.join(",")}`);
      const { words } = answer.ok ? await answer.json() : { words: "" };
      if (number === asked) said.textContent = words;
    } catch { said.textContent = ""; }
  };
  const soon = () => { clearTimeout(waiting); waiting = setTimeout(tell, 200); };
  form.addEventListener("change", soon);
  form.addEventListener("click", (event) => { if (event.target.closest(".question, .clear, #action-toggle")) soon(); });
})();
