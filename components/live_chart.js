// One feed for each run, shared by all charts of the page: points seen so far, and who wants to know of new ones.
const feeds = (window.ayarFeeds ??= new Map());
const EVERY_MS = 1000;
const REFETCH_ABOVE = 4000; // points; beyond that the server's thinned-out view is fetched anew

function loadPlotly() {
  if (window.Plotly) return Promise.resolve();
  return (window.ayarPlotly ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = new URL("app/static/plotly.min.js", document.baseURI).href;
    script.onload = resolve;
    script.onerror = reject;
    document.head.appendChild(script);
  }));
}

function feedOf(run) {
  if (!feeds.has(run)) feeds.set(run, { run, metrics: new Map(), last: -1, live: true, lost: false, loaded: false, users: new Set() });
  return feeds.get(run);
}

function take(feed, answer) {
  for (const [name, points] of Object.entries(answer.metrics)) {
    if (!feed.metrics.has(name)) feed.metrics.set(name, new Map());
    const seen = feed.metrics.get(name);
    for (const [step, value] of points) {
      seen.set(step, value);
      feed.last = Math.max(feed.last, step);
    }
  }
  feed.live = answer.live;
  feed.loaded = true;
  feed.lost = false;
}

async function poll(feed) {
  if (feed.busy || (document.hidden && feed.loaded)) return;
  feed.busy = true;
  try {
    const longest = Math.max(0, ...[...feed.metrics.values()].map((seen) => seen.size));
    const anew = longest > REFETCH_ABOVE;
    // The last step is asked for again: a validation value may be logged after the loss of the same step.
    const after = anew ? -1 : feed.last - 1;
    const url = new URL(`api/metrics?run=${encodeURIComponent(feed.run)}&after=${after}`, document.baseURI);
    const answer = await fetch(url, { credentials: "same-origin" });
    if (!answer.ok) throw new Error(String(answer.status));
    const body = await answer.json();
    if (anew) feed.metrics.clear();
    take(feed, body);
  } catch {
    feed.lost = true;
  } finally {
    feed.busy = false;
  }
  for (const redraw of feed.users) redraw();
  if (!feed.live && feed.loaded && !feed.lost) stop(feed);
}

function start(feed) {
  if (feed.timer) return;
  feed.timer = setInterval(() => poll(feed), EVERY_MS);
  poll(feed);
}

function stop(feed) {
  clearInterval(feed.timer);
  feed.timer = undefined;
}

// A weighted mean over the neighbours on both sides, so that the smooth line does not lag behind a falling loss.
function smoothed(values) {
  const width = Math.max(1.5, values.length / 40);
  const reach = Math.ceil(width * 2.5);
  return values.map((_, at) => {
    let sum = 0;
    let weights = 0;
    for (let i = Math.max(0, at - reach); i <= Math.min(values.length - 1, at + reach); i++) {
      const weight = Math.exp(-0.5 * ((i - at) / width) ** 2);
      sum += weight * values[i];
      weights += weight;
    }
    return sum / weights;
  });
}

function theme(element) {
  const style = getComputedStyle(element);
  const read = (name, fallback) => style.getPropertyValue(name).trim() || fallback;
  return {
    text: read("--st-text-color", "#222"),
    quiet: read("--st-gray-text-color", "#666"),
    grid: read("--st-border-color", "#ddd"),
    paper: read("--st-background-color", "#fff"),
    font: read("--st-font", "sans-serif"),
    series: read("--st-chart-categorical-colors", "#0b7f7f").split(","),
  };
}

// In the theme the second colour is the quiet one of base models; runs skip it.
const colourOf = (look, index) => look.series.filter((_, at) => at !== 1)[index % (look.series.length - 1)];

function traces(data, look) {
  const drawn = [];
  for (const curve of data.curves) {
    const points = [...(feedOf(curve.job_id).metrics.get(data.metric) ?? new Map()).entries()].sort((a, b) => a[0] - b[0]);
    if (!points.length) continue;
    const x = points.map((point) => point[0]);
    const y = points.map((point) => point[1]);
    const color = colourOf(look, curve.colour);
    const smooth = data.smoothed && y.length > 4;
    const hovertemplate = `${data.labels.step} %{x}<br>%{y:.5~g}`;
    const shared = { x, mode: y.length < 40 && !smooth ? "lines+markers" : "lines", legendgroup: curve.job_id, name: curve.name, hovertemplate };
    if (smooth) drawn.push({ ...shared, y, line: { color, width: 1 }, opacity: 0.3, showlegend: false, hoverinfo: "skip", hovertemplate: undefined });
    drawn.push({ ...shared, y: smooth ? smoothed(y) : y, line: { color, width: 2.25 }, marker: { size: 6, color } });
    const best = curve.best_step === null ? -1 : x.indexOf(curve.best_step);
    if (best >= 0)
      drawn.push({
        x: [x[best]], y: [y[best]], mode: "markers+text", text: [data.labels.best],
        // The words of the level stand above its line.
        textposition: curve.base !== null && y[best] <= curve.base ? "bottom center" : "top center", cliponaxis: false,
        textfont: { color: look.text, size: 12 }, marker: { size: 13, color: look.paper, line: { color, width: 3 } },
        legendgroup: curve.job_id, showlegend: false, name: curve.name, hovertemplate,
      });
  }
  return drawn;
}

function baseLines(data, look) {
  const levels = [...new Set(data.curves.map((curve) => curve.base).filter((base) => base !== null))];
  return {
    shapes: levels.map((level) => ({ type: "line", xref: "paper", x0: 0, x1: 1, y0: level, y1: level, line: { color: look.quiet, width: 1.5, dash: "dash" } })),
    annotations: levels.map((level) => ({
      xref: "paper", x: 1, xanchor: "right", y: level, yanchor: "bottom", showarrow: false,
      text: `${data.labels.base} ${level.toFixed(3)}`, font: { color: look.quiet, size: 12 },
    })),
  };
}

// Room for the label of the checkpoint that was kept: it would touch the edge where that one is the highest or lowest point.
function headroom(drawn, levels) {
  if (!drawn.some((trace) => trace.text)) return [];
  const values = [...levels, ...drawn.flatMap((trace) => trace.y)];
  const [lowest, highest] = [Math.min(...values), Math.max(...values)];
  const room = 0.15 * (highest - lowest);
  return drawn.some((trace) => trace.textposition === "bottom center") ? [lowest - room, highest + room] : [highest + room];
}

function layout(data, look, drawn) {
  const feedsHere = data.curves.map((curve) => feedOf(curve.job_id));
  const axis = { gridcolor: look.grid, linecolor: look.grid, zeroline: false, automargin: true, tickfont: { color: look.quiet } };
  const lines = baseLines(data, look);
  const levels = data.curves.map((curve) => curve.base).filter((base) => base !== null);
  const shown = [...levels, ...headroom(drawn, levels)];
  let note = "";
  if (feedsHere.some((feed) => feed.lost)) note = data.labels.lost;
  else if (!drawn.length) note = feedsHere.some((feed) => feed.live || !feed.loaded) ? data.labels.empty : data.labels.none;
  if (note) lines.annotations.push({ xref: "paper", yref: "paper", x: 0.5, y: 0.5, showarrow: false, text: note, font: { color: look.quiet, size: 13 } });
  return {
    uirevision: data.curves.map((curve) => curve.job_id).join(),
    title: { text: data.title, x: 0, xref: "container", xanchor: "left", y: 0.98, yanchor: "top", font: { size: 14, color: look.text, weight: 600 } },
    height: data.height, margin: { l: 8, r: 12, t: 44, b: 8 }, autosize: true, hovermode: "closest",
    showlegend: data.legend && data.curves.length > 1, legend: { orientation: "h", x: 0, y: 1.0, yanchor: "bottom", font: { color: look.text } },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { family: look.font, size: 12.5, color: look.text },
    xaxis: { ...axis, title: { text: data.labels.step, font: { color: look.quiet, size: 12 }, standoff: 8 }, rangemode: "tozero" },
    yaxis: { ...axis, exponentformat: "power", rangemode: levels.length ? "normal" : "tozero", autorangeoptions: shown.length ? { include: shown } : {} },
    shapes: lines.shapes, annotations: lines.annotations,
  };
}

function accessibleName(data) {
  const parts = data.curves.map((curve) => {
    const points = [...(feedOf(curve.job_id).metrics.get(data.metric) ?? new Map()).values()];
    return `${curve.name}: ${points.length ? points.at(-1).toPrecision(4) : "–"}`;
  });
  return `${data.title}. ${parts.join("; ")}`;
}

export default function ({ data, parentElement }) {
  const element = parentElement.querySelector(".ayar-plot");
  const state = (element.ayar ??= { feeds: new Set() });
  state.data = data;
  state.redraw ??= () => {
    if (!window.Plotly || !element.isConnected) return;
    const look = theme(element);
    const drawn = traces(state.data, look);
    element.setAttribute("role", "figure");
    element.setAttribute("aria-label", accessibleName(state.data));
    window.Plotly.react(element, drawn, layout(state.data, look, drawn), {
      responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d", "toImage"],
    });
  };
  for (const feed of state.feeds) feed.users.delete(state.redraw);
  state.feeds = new Set(data.curves.map((curve) => feedOf(curve.job_id)));
  loadPlotly().then(() => {
    for (const curve of data.curves) {
      const feed = feedOf(curve.job_id);
      feed.users.add(state.redraw);
      if (curve.live || !feed.loaded) start(feed);
    }
    state.redraw();
  });
  return () => {
    for (const feed of state.feeds) {
      feed.users.delete(state.redraw);
      if (!feed.users.size) stop(feed);
    }
    if (window.Plotly) window.Plotly.purge(element);
  };
}
