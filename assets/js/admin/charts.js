"use strict";
// The small charts of the front page. Their points are read from the table beside them, which says the same in figures.
(() => {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const rows = [...document.querySelectorAll("[data-day]")].reverse();
  const days = rows.map((row) => Date.parse(`${row.dataset.day}T00:00:00Z`) / 1000);

  /** The values of one figure, the oldest first; what is not known is a gap. */
  const points = (name) =>
    rows.map((row) => {
      const { value } = row.querySelector(`[data-figure="${name}"]`).dataset;
      return value === "" ? null : Number(value);
    });

  function draw(box) {
    const options = {
      width: box.clientWidth,
      height: box.clientHeight,
      padding: [4, 2, 2, 2],
      legend: { show: false },
      cursor: { show: false },
      select: { show: false },
      axes: [{ show: false }, { show: false }],
      scales: { x: { time: false }, y: { range: (_plot, low, high) => [Math.min(0, low), high > low ? high : low + 1] } },
      series: [
        {},
        {
          stroke: colour("--accent"),
          fill: colour("--accent-veil"),
          width: 1.5,
          points: { show: false },
        },
      ],
    };
    return new window.uPlot(options, [days, points(box.dataset.trend)], box);
  }

  if (!window.uPlot || rows.length === 0) return;
  for (const box of document.querySelectorAll("[data-trend]")) {
    const plot = draw(box);
    new ResizeObserver(() => plot.setSize({ width: box.clientWidth, height: box.clientHeight })).observe(box);
  }
})();
