// Fills the panel beside the map. All texts are set as text, never as markup.
import { css, pathOf } from "./groups.js";

const MOST_HITS = 100;
const byId = (id) => document.getElementById(id);
const counted = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

/** Writes the title and the figures below it. */
export function describe(map) {
  byId("title").textContent = map.title;
  const none = map.group.reduce((sum, group) => sum + (group < 0 ? 1 : 0), 0);
  const first = map.groups.filter((group) => group.level === 0).length;
  const within = map.groups.length - first;
  const groups = counted(first, "group") + (within ? ` with ${within.toLocaleString("en")} within them` : "");
  byId("figures").textContent = `${counted(map.n, "point")}, ${groups}${none ? `, ${counted(none, "point")} in none` : ""}`;
}

/** Lists the groups, each level below its own; `choose` gets the number of a group, -1 for the points in none. */
export function listGroups(map, choose) {
  const under = (parent) => map.groups.filter((group) => group.parent === parent);
  const add = (group) => {
    byId("legend").append(entry(group, choose));
    under(group.at).forEach(add);
  };
  under(-1).forEach(add);
  const none = map.group.reduce((sum, group) => sum + (group < 0 ? 1 : 0), 0);
  if (none) byId("legend").append(entry({ at: -1, label: "in no group", size: none, level: 0 }, choose));
}

function entry(group, choose) {
  const line = element("li");
  const button = element("button");
  button.type = "button";
  button.dataset.group = group.at;
  button.setAttribute("aria-pressed", "false");
  button.style.paddingLeft = `${7 + 14 * group.level}px`;
  button.append(element("i"), element("span", group.label), element("small", group.size.toLocaleString("en")));
  button.addEventListener("click", () => choose(group.at));
  line.append(button);
  return line;
}

/** Colours the list of groups. */
export function colourGroups(colours) {
  for (const button of byId("legend").querySelectorAll("button")) {
    button.querySelector("i").style.background = css(colours.at(Number(button.dataset.group)));
  }
}

/** Marks the chosen group in the list, or none for null. */
export function markGroup(chosen) {
  for (const button of byId("legend").querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(Number(button.dataset.group) === chosen && chosen !== null));
  }
}

/** Lists what a search found; `choose` gets a point. Null hides the list. */
export function listHits(map, hits, choose) {
  byId("hits").hidden = !hits?.length;
  byId("found").textContent = hits === null ? "" : told(hits.length);
  byId("hit-list").replaceChildren(...(hits ?? []).slice(0, MOST_HITS).map((point) => hit(map, point, choose)));
}

const told = (count) => `${counted(count, "point")} found${count > MOST_HITS ? `, the first ${MOST_HITS} are listed` : ""}`;

function hit(map, point, choose) {
  const line = element("li");
  const button = element("button");
  button.type = "button";
  button.append(element("span", map.texts[point] || map.ids[point]), element("small", pathOf(map, point)));
  button.addEventListener("click", () => choose(point));
  line.append(button);
  return line;
}

/** Shows a point's group, text and id at a place of the map, or hides them for null. */
export function showTip(map, point, [x, y] = [0, 0]) {
  const tip = byId("tip");
  tip.hidden = point === null;
  if (point === null) return;
  byId("tip-group").textContent = pathOf(map, point);
  byId("tip-text").textContent = map.texts[point];
  byId("tip-id").textContent = map.ids[point];
  const { width, height } = tip.parentElement.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(x + 14, width - tip.offsetWidth - 8))}px`;
  tip.style.top = `${Math.max(4, y + 14 + tip.offsetHeight > height ? y - tip.offsetHeight - 10 : y + 14)}px`;
}
