// Charts out of the data in `<script type="application/json">` inside a `[data-chart]`; the table beside says the same.
import * as echarts from "echarts/core";
import { LineChart, ScatterChart } from "echarts/charts";
import { GridComponent, MarkAreaComponent, MarkLineComponent, TooltipComponent, LegendComponent } from "echarts/components";
import { CanvasRenderer } from "echarts/renderers";

echarts.use([LineChart, ScatterChart, GridComponent, MarkAreaComponent, MarkLineComponent, TooltipComponent, LegendComponent, CanvasRenderer]);

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const DASHES = ["solid", "dashed", "dotted", [8, 3, 2, 3]];
const SHAPES = ["circle", "rect", "triangle", "diamond"];

function draw(place) {
  const data = JSON.parse(place.querySelector("script[type='application/json']").textContent);
  const canvas = place.querySelector(".chart-canvas");
  if (!data.series.length) return;
  canvas.hidden = false;
  const size = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const text = { color: colour("--ink-2"), fontSize: Math.max(12, size * 0.8), fontFamily: getComputedStyle(document.body).fontFamily };
  const inks = ["--series-1", "--series-2", "--series-3", "--series-4"].map(colour);
  const long = data.series.map((one) => one.name).join("").length * text.fontSize * 0.6 + data.series.length * 60 > canvas.clientWidth; // the legend takes two lines
  const chart = echarts.init(canvas, null, { renderer: "canvas" });
  chart.setOption({
    animation: false,
    textStyle: text,
    grid: { left: 8, right: data.series.some((one) => one.limit) ? 24 + text.fontSize * 2 : 16, top: long ? 68 : 44, bottom: 8, containLabel: true },
    legend: { top: 4, left: 0, textStyle: text, itemWidth: 34 },
    tooltip: { trigger: "axis", renderMode: "richText", valueFormatter: (value) => `${value} ${data.unit}` },
    xAxis: { type: "time", axisLabel: { ...text, hideOverlap: true }, axisLine: { lineStyle: { color: colour("--line-strong") } } },
    yAxis: { type: "value", scale: true, axisLabel: text, splitLine: { lineStyle: { color: colour("--line") } } },
    series: data.series.map((one, index) => ({
      name: one.name,
      type: "line",
      data: one.points,
      symbol: SHAPES[index % SHAPES.length],
      symbolSize: 7,
      showSymbol: one.points.length < 80,
      sampling: "minmax",
      color: inks[index % inks.length],
      lineStyle: { width: 2, type: DASHES[index % DASHES.length] },
      markLine: one.limit
        ? { silent: true, symbol: "none", label: { formatter: String(one.limit.value), position: "end", color: colour("--cinnabar"), fontSize: text.fontSize }, lineStyle: { color: colour("--cinnabar"), type: "dashed" }, data: [{ yAxis: one.limit.value }] }
        : undefined,
    })),
  });
  new ResizeObserver(() => chart.resize()).observe(canvas);
}

function drawAll() {
  for (const place of document.querySelectorAll("[data-chart]:not([data-drawn])")) {
    place.dataset.drawn = "1";
    draw(place);
  }
}

drawAll();
document.addEventListener("htmx:after:swap", drawAll);
