// Curves from tables, one for each day or some hours: each column whose head names a figure is drawn; the tables stay for who
// reads. A gap is a gap.
for (const whole of document.querySelectorAll("[data-curves]")) {
  const place = document.getElementById(whole.dataset.curves), zone = whole.dataset.zone, days = Number(whole.dataset.days);
  const lines = [...whole.querySelectorAll("tr[data-at]")].sort((one, other) => one.dataset.at - other.dataset.at);
  const at = lines.map((line) => Number(line.dataset.at));
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const written = new Intl.DateTimeFormat("en-GB", days > 1
    ? { timeZone: zone, day: "2-digit", month: "2-digit" } : { timeZone: zone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const font = `14px ${getComputedStyle(document.body).fontFamily}`;
  const drawn = [];
  [...whole.querySelector("thead tr").cells].forEach((head, column) => {
    if (!head.dataset.figure) return;
    const values = lines.map((line) => { const said = line.cells[column].dataset.value; return said === "" ? null : Number(said); });
    if (values.every((value) => value === null)) return;
    const figure = document.createElement("div"), title = document.createElement("h3");
    figure.className = "curve";
    title.textContent = head.textContent;
    figure.append(title);
    place.append(figure);
    const axis = { stroke: colour("--ink"), font, grid: { stroke: colour("--line"), width: 1 } };
    const limits = head.dataset.figure === "heard" || head.dataset.figure === "signal" ? { range: [0, 100] } : {};
    drawn.push([figure, new uPlot({
      width: figure.clientWidth - 16, height: 180, legend: { show: false }, cursor: { show: false },
      tzDate: (second) => uPlot.tzDate(new Date(second * 1000), zone),
      scales: { y: limits },
      axes: [{ ...axis, space: 60, values: (_, seconds) => seconds.map((second) => written.format(new Date(second * 1000))) }, { ...axis, size: 56, space: 22 }],
      series: [{}, { stroke: colour("--accent"), width: 2, spanGaps: false, points: { show: lines.length < 200, size: 4 } }],
    }, [at, values], figure)]);
  });
  addEventListener("resize", () => {
    for (const [figure, plot] of drawn) plot.setSize({ width: figure.clientWidth - 16, height: 180 });
  });
}
