// The page: reads the map it carries, draws it, and answers to pointer, keys and search.
import { readMap } from "./data.js";
import { coloursOf, membersOf } from "./groups.js";
import { drawLabels } from "./labels.js";
import { colourGroups, describe, listGroups, listHits, markGroup, showTip } from "./panel.js";
import { WHOLE, drawPoints, moveBy, plotOn } from "./plot.js";
import { searcher } from "./search.js";

const root = document.documentElement;
const byId = (id) => document.getElementById(id);
const WAIT = 120; // milliseconds after the last key until a search begins

class Page {
  constructor(map) {
    this.map = map;
    this.search = searcher(map);
    this.isDark = window.matchMedia("(prefers-color-scheme: dark)").matches;
    this.chosen = null;
    this.hasNames = true;
    const drawn = plotOn(byId("points"), map);
    this.plot = drawn?.plot;
    this.place = drawn?.place;
  }

  async start() {
    describe(this.map);
    listGroups(this.map, (group) => this.chooseGroup(group));
    this.listen();
    this.paint();
    if (!this.plot) {
      say("This browser has no WebGL, by which the points are drawn. Search and groups work; the table holds the rest.");
      return "without-webgl";
    }
    this.listenToPlot();
    await drawPoints(this.plot, this.map);
    this.label();
    return "drawn";
  }

  paint() {
    root.dataset.theme = this.isDark ? "dark" : "light";
    const colours = coloursOf(this.map.groups, this.isDark);
    colourGroups(colours);
    this.plot?.set({
      backgroundColor: this.isDark ? "#14161a" : "#fbfbfa",
      pointColor: colours,
      pointColorActive: colours,
      pointColorHover: this.isDark ? [1, 1, 1, 1] : [0, 0, 0, 1],
    });
    this.label();
  }

  label() {
    if (!this.plot) return;
    const shown = drawLabels(byId("labels"), this.hasNames ? this.map.groups : [], this.place, this.isDark);
    root.dataset.named = shown.length;
  }

  listen() {
    let waiting;
    byId("search").addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => this.find(byId("search").value), WAIT);
    });
    byId("reset").addEventListener("click", () => this.reset());
    byId("theme").addEventListener("click", () => this.turn(!this.isDark));
    byId("names").addEventListener("click", () => this.toggleNames());
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => this.turn(event.matches));
    document.addEventListener("keydown", (event) => event.key === "Escape" && this.clear());
  }

  listenToPlot() {
    const canvas = byId("points");
    this.plot.subscribe("view", () => {
      showTip(this.map, null);
      this.label();
    });
    this.plot.subscribe("pointOver", (point) => this.tip(point));
    this.plot.subscribe("pointOut", () => showTip(this.map, null));
    canvas.addEventListener("keydown", (event) => {
      if (!event.ctrlKey && !event.metaKey && moveBy(this.plot, event.key)) event.preventDefault();
    });
    new ResizeObserver(() => {
      const { width, height } = canvas.parentElement.getBoundingClientRect();
      this.plot.set({ width, height });
      this.label();
    }).observe(canvas.parentElement);
  }

  turn(isDark) {
    this.isDark = isDark;
    this.paint();
  }

  toggleNames() {
    this.hasNames = !this.hasNames;
    byId("names").setAttribute("aria-pressed", String(this.hasNames));
    this.label();
  }

  tip(point) {
    showTip(this.map, point, this.place(this.map.x[point], this.map.y[point]));
  }

  find(typed) {
    const hits = typed.trim() ? this.search(typed) : null;
    this.chosen = null;
    markGroup(null);
    showTip(this.map, null);
    listHits(this.map, hits, (point) => this.choosePoint(point));
    this.highlight(hits);
    root.dataset.found = hits === null ? "" : hits.length;
  }

  highlight(points) {
    root.dataset.highlighted = points?.length ?? 0;
    if (!this.plot) return;
    if (points?.length) this.plot.select(points, { preventEvent: true });
    else this.plot.deselect({ preventEvent: true });
  }

  async choosePoint(point) {
    if (!this.plot) return;
    const distance = Math.min(0.25, this.plot.get("camera").distance[0]);
    await this.plot.zoomToLocation([this.map.x[point], this.map.y[point]], distance);
    this.plot.hover(point, { preventEvent: true });
    this.tip(point);
  }

  chooseGroup(group) {
    const isAgain = this.chosen === group;
    this.clear();
    if (isAgain) return;
    this.chosen = group;
    markGroup(group);
    const members = membersOf(this.map, group);
    this.highlight(members);
    if (members.length) this.plot?.zoomToPoints(members, { padding: 0.3, transition: true, transitionDuration: 350 });
  }

  clear() {
    byId("search").value = "";
    this.find("");
  }

  reset() {
    this.clear();
    this.plot?.zoomToLocation([0, 0], WHOLE, { transition: true, transitionDuration: 350 });
  }
}

function say(message) {
  byId("message").textContent = message;
  byId("message").hidden = false;
}

async function start() {
  try {
    const map = await readMap(byId("data"));
    root.dataset.points = map.n;
    root.dataset.state = await new Page(map).start();
  } catch (error) {
    say(`The map cannot be shown: ${error.message}`);
    root.dataset.state = "failed";
    throw error;
  }
}

start();
