"use strict";
/* Behaviour of the report. All text of the data goes in through textContent, never as markup. */
(function () {
  const data = JSON.parse(document.getElementById("page-data").textContent);
  const ramp = [[30, 16, 68], [114, 31, 129], [205, 64, 113], [253, 150, 104], [252, 246, 184]];

  function make(tag, options, children) {
    const element = document.createElement(tag);
    for (const [key, value] of Object.entries(options || {})) {
      if (key === "text") element.textContent = value;
      else if (key === "class") element.className = value;
      else element.setAttribute(key, value);
    }
    for (const child of children || []) if (child) element.append(child);
    return element;
  }

  function colourOf(fusion) { return "s" + Math.max(0, data.order.indexOf(fusion)) % 10; }

  function photo(id, alt) {
    const source = data.photos[id];
    return source ? make("img", { src: source, alt: alt, decoding: "async" }) : make("span", { class: "gone", text: id });
  }

  /* A row of buttons of which one is pressed. */
  function choice(label, names, chosen, choose, coloured) {
    const group = make("div", { class: "switch", role: "group", "aria-label": label });
    for (const name of names) {
      const button = make("button", { type: "button", "aria-pressed": String(name === chosen), "data-choice": name },
        [coloured ? make("i", { class: colourOf(name) }) : null, name]);
      button.addEventListener("click", () => {
        for (const other of group.children) other.setAttribute("aria-pressed", String(other === button));
        choose(name);
      });
      group.append(button);
    }
    return group;
  }

  function theme() {
    const root = document.documentElement;
    /* A file opened from disk may have no storage; the page then follows the system. */
    try { if (localStorage.getItem("plait-theme")) root.dataset.theme = localStorage.getItem("plait-theme"); } catch (error) { /* see above */ }
    document.getElementById("theme").addEventListener("click", () => {
      const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
      root.dataset.theme = dark ? "light" : "dark";
      try { localStorage.setItem("plait-theme", root.dataset.theme); } catch (error) { /* see above */ }
    });
  }

  function leaderboard() {
    const table = document.getElementById("leaderboard");
    if (!table) return;
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
      const numeric = head.dataset.sort === "number";
      const before = head.getAttribute("aria-sort");
      const down = before ? before === "ascending" : numeric;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const value = (row) => row.cells[column].dataset.value;
      const rows = [...table.tBodies[0].rows].sort((a, b) => {
        const [x, y] = [value(a), value(b)];
        if (!numeric) return down ? y.localeCompare(x) : x.localeCompare(y);
        /* what was not measured stays at the end in both directions */
        if ((x === "") !== (y === "")) return x === "" ? 1 : -1;
        return down ? y - x : x - y;
      });
      table.tBodies[0].append(...rows);
    }));
    const buttons = [...document.querySelectorAll("#views button")];
    buttons.forEach((button) => button.addEventListener("click", () => {
      buttons.forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
      table.className = "show-" + button.dataset.view;
    }));
  }

  function copy() {
    const button = document.getElementById("copy");
    if (!button) return;
    button.addEventListener("click", () => {
      const range = document.createRange();
      range.selectNodeContents(document.getElementById("command"));
      const selection = getSelection();
      selection.removeAllRanges();
      selection.addRange(range);
      button.textContent = document.execCommand("copy") ? "Copied" : "Selected";
      setTimeout(() => { button.textContent = "Copy"; }, 1600);
    });
  }

  /* Blocks of which a row of buttons shows one. Photos are put in when their block is shown. */
  function switched(place) {
    const buttons = [...place.querySelectorAll(".switch button")], blocks = [...place.querySelectorAll(".block")];
    function show(number) {
      buttons.forEach((button, n) => button.setAttribute("aria-pressed", String(n === number)));
      blocks.forEach((block, n) => { block.hidden = n !== number; });
      fill(blocks[number]);
    }
    buttons.forEach((button, number) => button.addEventListener("click", () => show(number)));
    if (blocks.length) show(0);
  }

  function fill(place) {
    for (const image of place.querySelectorAll("img[data-photo]")) if (!image.src) image.src = data.photos[image.dataset.photo];
  }

  /* What no button hides is filled at once, or when its list is opened. */
  function fillOpen() {
    for (const card of document.querySelectorAll("article.card")) {
      if (card.closest(".switched")) continue;
      const list = card.closest("details");
      if (list && !list.open) list.addEventListener("toggle", () => fill(list), { once: true });
      else fill(card);
    }
  }

  function shade(part) {
    const at = Math.min(Math.max(part, 0), 1) * (ramp.length - 1);
    const low = Math.min(Math.floor(at), ramp.length - 2);
    return "rgb(" + ramp[low].map((c, n) => Math.round(c + (ramp[low + 1][n] - c) * (at - low))).join(",") + ")";
  }

  function svg(tag, attributes) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  }

  function percent(value) { return (100 * value).toFixed(value < 0.0995 ? 1 : 0) + "\u00a0%"; }

  /* One photo, its caption as buttons, and the cells of the chosen word. One scale for all words of the caption. */
  function map(entry) {
    const [h, w] = entry.grid, cells = h * w;
    const [x0, y0, x1, y1] = entry.box || [0, 0, 1, 1];
    const top = Math.max(...entry.weights.map((row) => Math.max(...row)), 1e-12);
    /* Where cells attend to words, a cell's weights sum to 1 over the words; else a word's sum to 1 over the cells. */
    const choices = entry.by_cell ? entry.words.length : cells;
    const layer = svg("svg", { viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true", "shape-rendering": "crispEdges" });
    const rects = Array.from({ length: cells }, (_, n) => {
      const rect = svg("rect", { x: x0 + (n % w) * (x1 - x0) / w, y: y0 + Math.floor(n / w) * (y1 - y0) / h,
        width: (x1 - x0) / w, height: (y1 - y0) / h, });
      rect.append(svg("title", {}));
      layer.append(rect);
      return rect;
    });
    const most = make("small", { role: "status" });
    const words = make("div", { class: "words", role: "group", "aria-label": "Words of the caption" });
    function show(number) {
      entry.weights[number].forEach((weight, n) => {
        rects[n].setAttribute("fill", shade(weight / top));
        /* the photo must stay readable where little weight lies; the colour alone carries the number */
        rects[n].setAttribute("fill-opacity", 0.4 + 0.36 * weight / top);
        rects[n].firstChild.textContent = "“" + entry.words[number] + "”: " + percent(weight);
      });
      [...words.children].forEach((button, n) => button.setAttribute("aria-pressed", String(n === number)));
      const weights = entry.weights[number], best = weights.indexOf(Math.max(...weights)), word = "“" + entry.words[number] + "”";
      const where = "row " + (Math.floor(best / w) + 1) + ", column " + (best % w + 1) + " of " + h + " × " + w + " cells (" +
        percent(weights[best]) + ")";
      if (choices === 1) most.textContent = word + " is the only word, so every cell gives it all its weight";
      else most.textContent = entry.by_cell ? "the cell that attends most to " + word + ": " + where : word + " attends most to " + where;
    }
    entry.words.forEach((word, number) => {
      const button = make("button", { type: "button", text: word });
      for (const event of ["pointerenter", "focus", "click"]) button.addEventListener(event, () => show(number));
      words.append(button);
    });
    const bar = make("span", { class: "ramp" }, [make("i")]);
    bar.style.background = "linear-gradient(90deg," + [0, 0.25, 0.5, 0.75, 1].map(shade).join(",") + ")";
    bar.firstChild.style.left = Math.min(100, 100 / choices / top) + "%";
    const legend = make("div", { class: "legend", title: "The mark is where even weights over all " + (entry.by_cell ? "words" : "cells") + " would be" },
      [make("span", { text: "0" }), bar, make("span", { text: percent(top) + "   │ even: " + percent(1 / choices) })]);
    const even = entry.even ? make("small", { class: "even", text: "nearly even: this map hardly tells " + (entry.by_cell ? "words" : "places") + " apart" }) : null;
    /* the longest word is a content word more often than the first */
    show(entry.words.reduce((best, word, n) => (word.length > entry.words[best].length ? n : best), 0));
    return make("article", { class: "card map", "data-fusion": entry.fusion }, [
      make("div", { class: "stage" }, [photo(entry.photo, "Photo with attention for: " + entry.caption), data.photos[entry.photo] ? layer : null]),
      make("div", { class: "map-body" }, [words, legend, even, most, make("small", { text: entry.fusion + " · " + (entry.what || "attention") })]),
    ]);
  }

  function attention() {
    const place = document.getElementById("attention");
    if (!place) return;
    const fusions = [...new Set(data.attention.map((entry) => entry.fusion))];
    const body = make("div", { class: "maps" });
    function draw(fusion) {
      body.replaceChildren(...data.attention.filter((entry) => entry.fusion === fusion).map(map));
    }
    place.append(make("div", { class: "tools" }, [make("span", { text: "Maps of" }),
      choice("Fusion of the maps", fusions, fusions[0], draw, true)]), body);
    draw(fusions[0]);
  }

  theme();
  leaderboard();
  copy();
  document.querySelectorAll(".switched").forEach(switched);
  fillOpen();
  attention();
})();
