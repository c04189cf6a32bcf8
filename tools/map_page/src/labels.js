// Writes the names of groups over the points, the largest first, none over another.

const GAP = 3;
const LINE = 22;
const TRIES = [[0, 0], [0, -1], [0, 1], [-0.6, 0], [0.6, 0], [0, -2], [0, 2], [-0.8, -1], [0.8, -1], [-0.8, 1], [0.8, 1]];
const SEEN_FROM = 70; // pixels across, from which the groups within a group are named too

/** Draws on `canvas`; `place` gives pixels for a point of the map, [x, y]. Returns the names that found room. */
export function drawLabels(canvas, groups, place, dark) {
  const { width, height } = canvas.getBoundingClientRect();
  const pen = penOn(canvas, width, height);
  const taken = [];
  const shown = [];
  for (const group of groups) {
    const [x, y] = place(group.x, group.y);
    if (!isNamed(group, place, x) || x < 0 || y < 0 || x > width || y > height) continue;
    const box = roomFor(boxOf(pen, group), x, y, width, taken);
    if (!box) continue;
    taken.push(box);
    write(pen, group, box, dark);
    shown.push(group.label);
  }
  return shown;
}

function penOn(canvas, width, height) {
  const density = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * density);
  canvas.height = Math.round(height * density);
  const pen = canvas.getContext("2d");
  pen.scale(density, density);
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.lineJoin = "round";
  return pen;
}

function isNamed(group, place, x) {
  if (group.level === 0) return true;
  const [edge] = place(group.x + group.radius, group.y);
  return (edge - x) * 2 >= SEEN_FROM;
}

const sizeOf = (group) => (group.level === 0 ? Math.min(17, 11.5 + 22 * Math.sqrt(group.share)) : 11.5);
const fontOf = (group) =>
  `${group.level === 0 ? 600 : 500} ${sizeOf(group)}px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif`;

function boxOf(pen, group) {
  pen.font = fontOf(group);
  const lines = linesOf(group.label);
  const half = Math.max(...lines.map((line) => pen.measureText(line).width)) / 2 + GAP;
  return { lines, half, tall: (lines.length * sizeOf(group) * 1.15) / 2 + GAP };
}

/** Returns a box at its place, or beside it where that is taken, or null. */
function roomFor(box, x, y, width, taken) {
  for (const [across, down] of TRIES) {
    const middle = Math.min(Math.max(x + across * box.half, box.half), Math.max(box.half, width - box.half));
    const height = y + down * box.tall;
    const [left, right] = [middle - box.half, middle + box.half];
    const placed = { lines: box.lines, x: middle, y: height, left, right, top: height - box.tall, bottom: height + box.tall };
    if (!taken.some((other) => overlap(placed, other))) return placed;
  }
  return null;
}

/** Returns a name in at most two lines. */
function linesOf(label) {
  const [first, ...rest] = label.split(/\s+/);
  const lines = [first];
  for (const word of rest) {
    const longer = `${lines.at(-1)} ${word}`;
    if (longer.length <= LINE) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  const two = lines.slice(0, 2).map((line) => (line.length > LINE + 8 ? `${line.slice(0, LINE + 7)}…` : line));
  return lines.length > 2 ? [two[0], `${two[1]} …`] : two;
}

const overlap = (one, other) =>
  one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom;

function write(pen, group, box, dark) {
  const step = sizeOf(group) * 1.15;
  const top = box.y - ((box.lines.length - 1) * step) / 2;
  pen.font = fontOf(group);
  pen.lineWidth = 4;
  pen.strokeStyle = dark ? "rgb(15 17 20 / 0.85)" : "rgb(255 255 255 / 0.88)";
  pen.fillStyle = dark ? "#f4f6f8" : "#15171a";
  box.lines.forEach((line, at) => {
    pen.strokeText(line, box.x, top + at * step);
    pen.fillText(line, box.x, top + at * step);
  });
}
