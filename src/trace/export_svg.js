// Zooms into a frame of the flame graph around it, and finds names. Everything it needs to know of a
// frame stands in the frame's rect and title.
(function () {
  "use strict";
  var letter = 7.3, side = 10, width = 1200;
  var said = document.getElementById("said"), all = document.getElementById("all");
  var frames = [].map.call(document.querySelectorAll("g.f"), function (g) {
    var rect = g.querySelector("rect"), title = g.querySelector("title").textContent;
    return {
      g: g, rect: rect, text: g.querySelector("text"), title: title,
      name: title.slice(0, title.lastIndexOf(" (")), fill: rect.getAttribute("fill"),
      x: +rect.getAttribute("x"), w: +rect.getAttribute("width"), y: +rect.getAttribute("y"),
    };
  });

  function place(f, x, w) {
    f.rect.setAttribute("x", x);
    f.rect.setAttribute("width", w);
    f.text.setAttribute("x", x + 3);
    var letters = w > 2 * letter ? Math.floor((w - 4) / letter) : 0, name = Array.from(f.name);
    f.text.textContent =
      name.length <= letters ? f.name : letters >= 3 ? name.slice(0, letters - 1).join("") + "…" : "";
  }

  // Frames within it get its width in full; those it stands on span all of it; others go.
  function zoom(to) {
    var unit = (width - 2 * side) / to.w, end = to.x + to.w, slack = 0.005;
    frames.forEach(function (f) {
      var inside = f.x >= to.x - slack && f.x + f.w <= end + slack && f.y <= to.y;
      var below = f.x <= to.x + slack && f.x + f.w >= end - slack && f.y > to.y;
      f.g.style.display = inside || below ? "" : "none";
      f.g.classList.toggle("out", below && f !== to);
      if (inside) place(f, side + (f.x - to.x) * unit, f.w * unit);
      else if (below) place(f, side, width - 2 * side);
    });
    all.setAttribute("visibility", to === frames[0] ? "hidden" : "visible");
  }

  // The share counts no weight twice: of frames above each other the lowest.
  function find(words) {
    var pattern, widest = {}, sum = 0, end = -1;
    try {
      pattern = words ? new RegExp(words, "i") : null;
    } catch (e) {
      said.textContent = String(e.message);
      return;
    }
    frames.forEach(function (f) {
      var hit = pattern !== null && f !== frames[0] && pattern.test(f.name);
      f.rect.setAttribute("fill", hit ? "#c03bd0" : f.fill);
      if (hit) widest[f.x] = Math.max(widest[f.x] || 0, f.w);
    });
    Object.keys(widest).map(Number).sort(function (a, b) { return a - b; }).forEach(function (x) {
      if (x >= end - 0.005) {
        sum += widest[x];
        end = x + widest[x];
      }
    });
    said.textContent = pattern === null ? " "
      : "“" + words + "”: " + (100 * sum / frames[0].w).toFixed(2) + " %";
  }

  function ask() {
    var words = window.prompt("Find names (a regular expression; nothing: none)");
    if (words !== null) find(words);
  }

  if (frames.length === 0) return;
  frames.forEach(function (f) {
    f.g.addEventListener("click", function () { zoom(f); });
    f.g.addEventListener("mouseover", function () { said.textContent = f.title; });
  });
  all.addEventListener("click", function () { zoom(frames[0]); });
  var link = document.getElementById("find");
  link.setAttribute("visibility", "visible");
  link.addEventListener("click", ask);
  window.addEventListener("keydown", function (e) {
    if (e.key === "Escape") zoom(frames[0]);
    if (e.key === "/" || ((e.ctrlKey || e.metaKey) && e.key === "f")) {
      e.preventDefault();
      ask();
    }
  });
})();
