// What follows from the tree of groups: their colours, who is within whom, how they are called.

const GOLDEN_ANGLE = 137.508;

/** Returns a colour for each group and, last, for the points in none, as [r, g, b, a] from 0 to 1. */
export function coloursOf(groups, dark) {
  const hues = new Map(groups.filter((one) => one.parent < 0).map((one, at) => [one.at, at]));
  const colours = groups.map((one) => {
    const place = hues.get(firstLevel(groups, one));
    const lightness = (dark ? 66 : 43) + [0, 7, -6][place % 3] + 3 * Math.min(one.level, 3) * (dark ? -1 : 1);
    return [...rgb((place * GOLDEN_ANGLE + 205) % 360, place % 2 ? 58 : 72, lightness), 1];
  });
  return [...colours, dark ? [0.45, 0.48, 0.52, 0.55] : [0.62, 0.63, 0.65, 0.55]];
}

/** Returns a colour as CSS writes it. */
export const css = ([r, g, b, a]) => `rgb(${[r, g, b].map((one) => Math.round(one * 255)).join(" ")} / ${a})`;

function firstLevel(groups, group) {
  let one = group;
  while (one.parent >= 0) one = groups[one.parent];
  return one.at;
}

function rgb(hue, saturation, lightness) {
  const s = saturation / 100;
  const l = lightness / 100;
  const spread = s * Math.min(l, 1 - l);
  return [0, 8, 4].map((shift) => {
    const k = (shift + hue / 30) % 12;
    return l - spread * Math.max(-1, Math.min(k - 3, 9 - k, 1));
  });
}

/** Returns the points of a group and of the groups within it. */
export function membersOf(map, wanted) {
  const within = map.groups.map((group) => {
    let one = group;
    while (one.at !== wanted && one.parent >= 0) one = map.groups[one.parent];
    return one.at === wanted;
  });
  const found = [];
  for (let at = 0; at < map.n; at += 1) {
    if (map.group[at] < 0 ? wanted < 0 : within[map.group[at]]) found.push(at);
  }
  return found;
}

/** Returns the name of a point's group with those above it. */
export const pathOf = (map, point) => (map.group[point] < 0 ? "in no group" : map.groups[map.group[point]].path);
