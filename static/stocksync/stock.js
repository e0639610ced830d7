/* A stock's chart: candles and volume, moving averages, what is missing and what was
   corrected. The data, words included, come from the address in data-url. */
"use strict";

(() => {
  const box = document.getElementById("candles");
  if (!box || !window.LightweightCharts) return;
  const charts = window.LightweightCharts;
  const find = (name) => document.getElementById(name);
  const legend = find("candles-legend");
  const pop = find("candles-pop");
  const averages = [5, 20, 60];
  const REFRESH = 3000; // ms, while a run is fetching some of it again

  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const faded = (colour, alpha) => {
    const [r, g, b] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
    return `rgba(${r}, ${g}, ${b}, ${alpha})`;
  };
  // Red is up in Chinese.
  const [rising, falling] = document.documentElement.lang.startsWith("zh")
    ? ["--ss-bad", "--ss-ok"] : ["--ss-ok", "--ss-bad"];
  const palette = () => ({
    up: css(rising), down: css(falling), gap: css("--ss-bad"),
    failure: css("--ss-warn"), idle: css("--ss-idle"), text: css("--ss-chart-text"),
    line: css("--ss-chart-line"), averages: [css("--ss-ma5"), css("--ss-ma20"), css("--ss-ma60")],
  });
  let colours = palette();

  /* Bands behind the candles: a primitive of the library's own kind. */
  class Bands {
    constructor() { this.bands = []; this.rects = []; }
    attached({ chart, requestUpdate }) { this.chart = chart; this.request = requestUpdate; }
    detached() { this.chart = null; }
    set(bands) { this.bands = bands; if (this.request) this.request(); }
    updateAllViews() {}
    paneViews() {
      return [{ zOrder: () => "bottom", renderer: () => ({ draw: (target) => this.draw(target) }) }];
    }
    place(band) {
      const scale = this.chart.timeScale();
      const xs = band.times.map((time) => scale.timeToCoordinate(time)).filter((x) => x !== null);
      if (!xs.length) return null;
      const spacing = scale.logicalToCoordinate(1) - scale.logicalToCoordinate(0);
      const half = Math.max(spacing / 2, 1.5);
      return { left: Math.min(...xs) - half, right: Math.max(...xs) + half };
    }
    draw(target) {
      target.useMediaCoordinateSpace(({ context, mediaSize }) => {
        for (const band of this.bands) {
          const at = this.place(band);
          if (!at) continue;
          context.fillStyle = faded(colours[band.kind], band.kind === "gap" ? 0.3 : 0.18);
          context.fillRect(at.left, 0, at.right - at.left, mediaSize.height);
          context.fillStyle = colours[band.kind];
          context.fillRect(at.left, 0, at.right - at.left, 3);
        }
      });
    }
    at(x) {
      return this.bands.find((band) => {
        const place = this.place(band);
        return place && x >= place.left - 2 && x <= place.right + 2;
      });
    }
  }

  const look = () => ({
    layout: {
      attributionLogo: false, background: { color: "transparent" }, textColor: colours.text,
      fontFamily: getComputedStyle(document.body).fontFamily,
      panes: { separatorColor: colours.line },
    },
    grid: { vertLines: { color: colours.line }, horzLines: { color: colours.line } },
    rightPriceScale: { borderColor: colours.line },
    timeScale: { borderColor: colours.line },
  });
  const intraday = box.dataset.intraday === "yes";
  const chart = charts.createChart(box, {
    ...look(), autoSize: true,
    localization: { locale: document.documentElement.lang || "en" },
    crosshair: { mode: charts.CrosshairMode.Normal },
  });
  chart.timeScale().applyOptions({ minBarSpacing: 0.05, timeVisible: intraday, rightOffset: 2 });
  const candles = chart.addSeries(charts.CandlestickSeries, { wickVisible: true });
  const volume = chart.addSeries(charts.HistogramSeries, {
    priceFormat: { type: "volume" }, lastValueVisible: false, priceLineVisible: false,
  }, 1);
  const lines = averages.map(() => chart.addSeries(charts.LineSeries, {
    lineWidth: 1, lastValueVisible: false, priceLineVisible: false,
    crosshairMarkerVisible: false,
  }));
  chart.panes()[1].setStretchFactor(0.28);
  const bands = new Bands();
  candles.attachPrimitive(bands);
  const markers = charts.createSeriesMarkers(candles, []);

  const state = { bars: [], times: [], sets: [], older: null, loading: false };

  const number = (value, places) =>
    value.toLocaleString(document.documentElement.lang || "en",
      { minimumFractionDigits: places, maximumFractionDigits: places });

  const paint = () => {
    chart.applyOptions(look());
    candles.applyOptions({
      upColor: colours.up, downColor: colours.down, borderVisible: false,
      wickUpColor: colours.up, wickDownColor: colours.down,
    });
    lines.forEach((line, at) => line.applyOptions({ color: colours.averages[at] }));
  };

  const average = (bars, length) => {
    const points = [];
    let sum = 0;
    bars.forEach((bar, at) => {
      sum += bar[4];
      if (at >= length) sum -= bars[at - length][4];
      if (at >= length - 1) points.push({ time: bar[0], value: sum / length });
    });
    return points;
  };

  const all = (name) => state.sets.flatMap((set) => set[name]);
  const before = (a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0);

  const shapes = {
    rejected: () => ({ shape: "square", position: "aboveBar", color: colours.gap, text: "×" }),
    revised: () => ({ shape: "circle", position: "aboveBar", color: colours.failure, text: "R" }),
    split: () => ({ shape: "arrowUp", position: "belowBar", color: css("--ss-busy"), text: "S" }),
  };

  // A mark where there is no bar hangs at the close before.
  const floating = (time) => {
    if (barAt(time)) return {};
    const last = state.bars.findLast((bar) => bar[0] < time) || state.bars[0];
    return { position: "atPriceMiddle", price: last[4] };
  };
  const barAt = (time) => state.bars.find((bar) => bar[0] === time);

  const draw = () => {
    const { bars } = state;
    const there = new Set(bars.map((bar) => bar[0]));
    const failed = all("failures").map((row) => ({
      ...row, kind: "failure",
      times: intraday ? bars.map((bar) => bar[0]).filter((t) => t >= row.from - 43200 && t < row.to + 43200)
        : [...there].filter((t) => t >= row.from && t <= row.to),
      ends: [row.from, row.to],
    }));
    const gaps = all("gaps").map((gap) => ({ ...gap, kind: "gap" }));
    const idle = all("idle").map((one) => ({ ...one, kind: "idle" }));
    // Days without a bar take their room, so that what is missing can be seen.
    const empty = new Set([...gaps, ...idle].flatMap((band) => band.times));
    for (const row of failed) {
      if (!row.times.length) { row.times = intraday ? [row.from] : [...new Set(row.ends)]; }
      row.times.forEach((time) => { if (!there.has(time)) empty.add(time); });
    }
    const last = all("marks").map((mark) => mark.time);
    last.forEach((time) => { if (!intraday && !there.has(time)) empty.add(time); });
    const points = bars.map(([time, open, high, low, close]) => ({ time, open, high, low, close }));
    empty.forEach((time) => { if (!there.has(time)) points.push({ time }); });
    points.sort(before);
    state.times = points.map((point) => point.time);
    candles.setData(points);
    volume.setData(bars.map(([time, open, , , close, value]) => ({
      time, value, color: faded(close >= open ? colours.up : colours.down, 0.5),
    })));
    lines.forEach((line, at) => line.setData(find(`ma-${averages[at]}`).checked ? average(bars, averages[at]) : []));
    bands.set([...idle, ...failed, ...gaps]);
    const known = new Set(state.times);
    markers.setMarkers(all("marks").filter((mark) => known.has(mark.time))
      .map((mark) => ({ time: mark.time, ...shapes[mark.kind](), ...floating(mark.time) })).sort(before));
    box.dataset.gaps = gaps.length;
    box.dataset.bars = bars.length;
  };

  const tell = (bar, time) => {
    if (!bar) { legend.textContent = ""; return; }
    const places = state.sets[0].places;
    const words = legend.dataset;
    const parts = [`${time}`, ...["open", "high", "low", "close"].map(
      (name, at) => `${words[name]} ${number(bar[at + 1], places)}`)];
    parts.push(`${words.volume} ${number(bar[5], 0)}`);
    averages.forEach((length) => {
      const at = state.bars.indexOf(bar);
      if (!find(`ma-${length}`).checked || at < length - 1) return;
      const sum = state.bars.slice(at - length + 1, at + 1).reduce((total, one) => total + one[4], 0);
      parts.push(`MA${length} ${number(sum / length, places)}`);
    });
    const marks = all("marks").filter((mark) => mark.time === bar[0]).map((mark) => mark.label);
    legend.textContent = [...parts, ...marks].join("  ");
  };
  const written = (time) => {
    if (typeof time === "string") return time;
    return new Date(time * 1000).toISOString().slice(0, 16).replace("T", " ");
  };
  const tellLast = () => {
    const bar = state.bars.at(-1);
    tell(bar, bar ? written(bar[0]) : "");
  };
  const plain = (time) => (time && typeof time === "object"
    ? `${time.year}-${String(time.month).padStart(2, "0")}-${String(time.day).padStart(2, "0")}` : time);

  chart.subscribeCrosshairMove(({ time }) => {
    const at = plain(time);
    const bar = at === undefined ? null : barAt(at);
    if (bar) tell(bar, written(at));
    else if (at === undefined) tellLast();
    else {
      const band = bands.bands.find((one) => one.times.includes(at));
      legend.textContent = `${written(at)}  ${band ? band.label : ""}`;
    }
  });

  /* What one can do about a band, where it was clicked. */
  chart.subscribeClick(({ point }) => {
    const band = point && bands.at(point.x);
    pop.hidden = !band;
    if (!band) return;
    const dates = band.start ? `${band.start} – ${band.end}` : "";
    find("candles-pop-text").textContent = band.kind === "gap" ? [dates, band.note].filter(Boolean).join(" · ") : `${band.label} ${dates}`;
    const form = find("repair");
    if (form) {
      form.hidden = band.kind !== "gap";
      form.elements.start.value = band.start || "";
      form.elements.end.value = band.end || "";
      form.querySelector("button").textContent = band.label;
    }
    const link = find("candles-pop-link");
    link.hidden = !band.url;
    if (band.url) link.href = band.url;
    pop.style.left = `${Math.max(0, Math.min(point.x, box.clientWidth - 240))}px`;
    const button = form && !form.hidden && form.querySelector("button");
    if (button) button.focus();
  });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") pop.hidden = true; });

  const ask = async (query) => {
    const address = new URL(box.dataset.url, location.href);
    Object.entries(query).forEach(([name, value]) => value && address.searchParams.set(name, value));
    const answer = await fetch(address, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  };

  const show = (start, end) => {
    const scale = chart.timeScale();
    const { times } = state;
    if (!times.length) return;
    const day = (time) => (typeof time === "string" ? time : new Date(time * 1000).toISOString().slice(0, 10));
    const first = times.findIndex((time) => day(time) >= start);
    let last = times.findLastIndex((time) => day(time) <= end);
    last = last < 0 ? times.length - 1 : last;
    const margin = Math.max(10, Math.round((last - first) / 2));
    scale.setVisibleLogicalRange({ from: (first < 0 ? times.length - 1 : first) - margin, to: last + margin });
  };

  const ranges = document.querySelectorAll("[data-days]");
  const range = (days) => {
    const { times } = state;
    if (!times.length) return;
    ranges.forEach((one) => one.setAttribute("aria-pressed", String(one.dataset.days === String(days))));
    if (!days) { chart.timeScale().fitContent(); return; }
    const seconds = (time) => (typeof time === "string" ? Date.parse(time) / 1000 : time);
    const since = seconds(times.at(-1)) - days * 86400;
    const first = times.findIndex((time) => seconds(time) >= since);
    chart.timeScale().setVisibleLogicalRange({ from: first - 0.5, to: times.length + 1 });
  };
  ranges.forEach((one) => one.addEventListener("click", () => range(Number(one.dataset.days))));
  averages.forEach((length) => find(`ma-${length}`).addEventListener("change", draw));

  const refreshing = () => state.sets.some((set) => set.retrying);
  const first = async () => {
    const { start, until } = box.dataset;
    const set = await ask({ since: start, until });
    state.sets = [set];
    state.bars = set.bars;
    state.older = set.older;
    candles.applyOptions({ priceFormat: { type: "price", precision: set.places, minMove: 10 ** -set.places } });
    draw();
    tellLast();
    find("candles-busy").hidden = !refreshing();
    find("candles-newer").hidden = !set.newer;
    if (refreshing()) setTimeout(() => first().catch(failed), REFRESH);
    box.dataset.state = "ready";
  };
  const older = async () => {
    if (!state.older || state.loading || refreshing()) return;
    state.loading = true;
    const set = await ask({ until: state.older });
    const known = new Set(state.bars.map((bar) => bar[0]));
    const seen = chart.timeScale().getVisibleLogicalRange();
    const more = set.bars.filter((bar) => !known.has(bar[0]));
    state.older = set.older === state.older ? null : set.older;
    state.bars = [...more, ...state.bars];
    const had = new Set(all("failures").map((row) => row.url));
    set.failures = set.failures.filter((row) => !had.has(row.url));
    state.sets.push(set);
    draw();
    if (seen) chart.timeScale().setVisibleLogicalRange({ from: seen.from + more.length, to: seen.to + more.length });
    state.loading = false;
  };
  const failed = () => {
    legend.textContent = legend.dataset.failed;
    box.dataset.state = "failed";
    state.loading = false;
  };
  chart.timeScale().subscribeVisibleLogicalRangeChange((seen) => {
    if (seen && seen.from < 0 && state.older) older().catch(failed);
  });

  const renew = () => { colours = palette(); paint(); if (state.sets.length) draw(); };
  new MutationObserver(renew).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", renew);

  paint();
  first().then(() => {
    if (box.dataset.start) show(box.dataset.start, box.dataset.end || box.dataset.start);
    else range(Number(box.dataset.range));
  }).catch(failed);
})();
