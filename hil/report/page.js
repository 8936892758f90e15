"use strict";
(function () {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue(name).trim();
  const config = { displaylogo: false, displayModeBar: "hover", responsive: true, modeBarButtonsToRemove: ["select2d", "lasso2d"] };
  const linked = [];
  let passingOn = false;

  function axis(given) {
    return Object.assign({ gridcolor: color("--edge"), zerolinecolor: color("--edge"), linecolor: color("--edge"),
      automargin: false }, given);
  }

  function layoutOf(figure) {
    const given = figure.layout;
    const layout = Object.assign({
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "x unified", dragmode: "zoom",
      legend: { orientation: "h", x: 0, y: -0.14, yanchor: "top", font: { size: 11 } },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: color("--edge"), activecolor: color("--soft") },
      hoverlabel: { bgcolor: color("--ground"), font: { color: color("--ink") } },
    }, given);
    layout.font = { family: "inherit", size: 11, color: color("--ink") };
    layout.margin = Object.assign({ l: figure.half ? 58 : 104, r: 58, t: 14, b: given.xaxis.title ? 44 : 30 },
      given.margin);
    for (const name of ["xaxis", "yaxis", "yaxis2"]) if (given[name]) layout[name] = axis(given[name]);
    layout.height = figure.height;
    return layout;
  }

  function passOn(from, change) {
    if (passingOn) return;
    const range = change["xaxis.range"] || (change["xaxis.range[0]"] !== undefined
      ? [change["xaxis.range[0]"], change["xaxis.range[1]"]] : null);
    if (!range && !change["xaxis.autorange"]) return;
    passingOn = true;
    const update = range ? { "xaxis.range": range } : { "xaxis.autorange": true };
    Promise.all(linked.filter((plot) => plot !== from).map((plot) => Plotly.relayout(plot, update)))
      .finally(() => { passingOn = false; });
  }

  const drawn = figures.map(function (figure) {
    const place = document.getElementById("plot-" + figure.key);
    return Plotly.newPlot(place, figure.data, layoutOf(figure), config).then(function (plot) {
      if (!figure.linked) return;
      linked.push(plot);
      plot.on("plotly_relayout", (change) => passOn(plot, change));
    });
  });
  Promise.all(drawn).then(
    () => { document.documentElement.dataset.drawn = String(figures.length); },
    (error) => { document.documentElement.dataset.failed = String(error); });
})();
