(function () {
  "use strict";
  var all = Array.from(document.querySelectorAll(".scenario"));
  var text = document.getElementById("f-text"), verdict = document.getElementById("f-verdict"), family = document.getElementById("f-family");
  var shown = document.getElementById("f-shown"), nothing = document.getElementById("f-nothing");

  // The filter: every word has to be somewhere in what a scenario says.
  function filter() {
    var words = text.value.toLowerCase().split(/\s+/).filter(Boolean), n = 0;
    all.forEach(function (s) {
      var d = s.dataset;
      var fits = (!verdict.value || d.verdict === verdict.value) && (!family.value || d.family === family.value) &&
        words.every(function (w) { return d.text.indexOf(w) >= 0; });
      s.hidden = !fits;
      n += fits ? 1 : 0;
    });
    shown.textContent = n + " of " + all.length;
    nothing.hidden = n > 0;
  }
  [text, verdict, family].forEach(function (e) { e.addEventListener("input", filter); });
  function unfold(open) {
    return function () { all.forEach(function (s) { if (!s.hidden) { s.open = open; } }); };
  }
  document.getElementById("f-open").addEventListener("click", unfold(true));
  document.getElementById("f-close").addEventListener("click", unfold(false));

  // A link to a scenario unfolds it, and shows it whatever the filter says.
  function follow() {
    var s = location.hash && document.getElementById(location.hash.slice(1));
    if (s && s.classList.contains("scenario")) { s.hidden = false; s.open = true; s.scrollIntoView(); }
  }
  window.addEventListener("hashchange", follow);
  document.addEventListener("click", function (e) {
    var a = e.target.closest && e.target.closest('a[href^="#"]');
    if (a && a.getAttribute("href") === location.hash) { follow(); }
  });
  follow();

  // Values under the pointer, in all charts of a scenario at once.
  function value(points, at, step) {
    var before = null, after = null;
    for (var i = 0; i < points.length; i++) {
      if (points[i][0] <= at) { before = points[i]; } else { after = points[i]; break; }
    }
    if (step) { return before && before[1]; }
    return after ? after[1] : before && before[1]; // a rate is that of the time up to its point
  }
  function words(v, bytes) {
    if (v === null) { return "-"; }
    if (!bytes) { return String(Math.round(v * 10) / 10); }
    var units = ["B", "KiB", "MiB", "GiB"], i = 0;
    while (v >= 1024 && i < 3) { v /= 1024; i++; }
    return (i ? v.toFixed(1) : Math.round(v)) + " " + units[i];
  }
  document.querySelectorAll(".charts").forEach(function (section) {
    var data = JSON.parse(section.parentNode.querySelector("script.figures").textContent);
    var charts = data.map(function (d) {
      var figure = section.querySelector('[data-chart="' + d.name + '"]');
      return { data: d, svg: figure.querySelector("svg"), values: figure.querySelectorAll(".legend b") };
    });
    var label = section.querySelector(".readout .at");
    function show(at) {
      label.textContent = "at " + at.toFixed(2) + " s";
      charts.forEach(function (c) {
        var d = c.svg.dataset, x = +d.from + (+d.to - d.from) * at / d.until;
        var hair = c.svg.querySelector(".hair");
        if (!hair) {
          hair = document.createElementNS("http://www.w3.org/2000/svg", "line");
          hair.setAttribute("class", "hair");
          c.svg.appendChild(hair);
        }
        [["x1", x], ["x2", x], ["y1", 6], ["y2", 172]].forEach(function (p) { hair.setAttribute(p[0], p[1]); });
        c.data.lines.forEach(function (l, i) { c.values[i].textContent = words(value(l.points, at, c.data.step), c.data.bytes); });
      });
    }
    function hide() {
      label.textContent = "";
      charts.forEach(function (c) {
        var hair = c.svg.querySelector(".hair");
        if (hair) { hair.remove(); }
        c.values.forEach(function (b) { b.textContent = ""; });
      });
    }
    charts.forEach(function (c) {
      c.svg.addEventListener("pointermove", function (e) {
        var box = c.svg.getBoundingClientRect(), d = c.svg.dataset;
        var x = (e.clientX - box.left) / box.width * c.svg.viewBox.baseVal.width;
        show(Math.min(Math.max((x - d.from) / (d.to - d.from), 0), 1) * d.until);
      });
      c.svg.addEventListener("pointerleave", hide);
    });
  });
}());
