/* Parts of a page that renew themselves.

   hx-swap="patch": what has changed is changed in place, and the rest is left alone, so
   that focus, selection and scrolling survive a page that renews itself.

   Children are matched by their order: what comes and goes sits in a box of its own.
   Whether a <details> is open is the reader's business.

   data-ago="updated {seconds} s ago": counts the seconds since the page was last renewed, as
   long as something on it asks for more; data-lost is said instead while nobody answers. */
"use strict";

(() => {
  const alike = (old, fresh) =>
    old.nodeType === fresh.nodeType && old.nodeName === fresh.nodeName;

  const theirs = (element, name) => name === "open" && element.tagName === "DETAILS";

  const patchAttributes = (old, fresh) => {
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name) && !theirs(old, name)) old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      if (!theirs(old, name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
  };

  const patchChildren = (old, fresh) => {
    const kept = [...old.childNodes];
    const wanted = [...fresh.childNodes];
    wanted.forEach((node, place) => {
      if (place < kept.length) patch(kept[place], node);
      else old.append(node);
    });
    kept.slice(wanted.length).forEach((node) => node.remove());
  };

  const patch = (old, fresh) => {
    if (old.isEqualNode(fresh)) return;
    if (!alike(old, fresh)) {
      old.replaceWith(fresh);
    } else if (old.nodeType === Node.ELEMENT_NODE) {
      patchAttributes(old, fresh);
      patchChildren(old, fresh);
    } else {
      old.data = fresh.data;
    }
  };

  htmx.defineExtension("patch", {
    isInlineSwap: (style) => style === "patch",
    handleSwap: (style, target, fragment) => {
      if (style !== "patch") return false;
      patch(target, fragment.firstElementChild);
      return [target];
    },
  });

  let renewed = performance.now();
  let lost = false;
  const tellAge = () => {
    const asks = document.querySelector("[hx-trigger^=every]");
    const seconds = Math.round((performance.now() - renewed) / 1000);
    for (const place of document.querySelectorAll("[data-ago]")) {
      const words = (lost && place.dataset.lost) || place.dataset.ago;
      place.textContent = asks ? words.replace("{seconds}", seconds) : "";
      place.classList.toggle("lost", Boolean(asks) && lost);
    }
  };
  document.addEventListener("htmx:afterSwap", () => {
    renewed = performance.now();
    lost = false;
    tellAge();
  });
  for (const name of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
    document.addEventListener(name, () => {
      lost = true;
    });
  }
  setInterval(tellAge, 1000);
})();
