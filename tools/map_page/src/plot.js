// Draws the points by regl-scatterplot and tells where they are on the screen.
import createScatterplot from "regl-scatterplot";

/** The camera's distance from which the whole map is seen. */
export const WHOLE = 1.12;
const STEP = 0.12; // of the distance

/** Returns the plot of a map on a canvas, or null where the browser has no WebGL. */
export function plotOn(canvas, map) {
  if (!document.createElement("canvas").getContext("webgl")) return null;
  const { width, height } = canvas.parentElement.getBoundingClientRect();
  const plot = createScatterplot({
    canvas,
    width,
    height,
    cameraDistance: WHOLE,
    colorBy: "valueA",
    pointSize: Math.max(1.6, Math.min(6, 240 / Math.sqrt(map.n + 1))),
    pointSizeSelected: 1,
    pointOutlineWidth: 0,
    opacity: map.n > 20000 ? 0.75 : 0.85,
    opacityInactiveMax: 0.2,
    opacityInactiveScale: 0.3,
    spatialIndexUseWorker: false, // a worker would need an address, which the page's policy forbids
    deselectOnDblClick: false,
    lassoInitiator: false,
    actionKeyMap: {},
  });
  return { plot, place: (x, y) => onScreen(plot, x, y) };
}

/** Draws the points; a group's number is its colour, the last number that of the points in none. */
export function drawPoints(plot, map) {
  const valueA = Array.from(map.group, (group) => (group < 0 ? map.groups.length : group));
  return plot.draw({ x: map.x, y: map.y, valueA }, { zDataType: "categorical" });
}

/** Moves by keys: arrows, + and -, 0. Returns whether the key meant something. */
export function moveBy(plot, key) {
  const camera = plot.get("camera");
  const [x, y] = camera.target;
  const distance = camera.distance[0];
  const step = STEP * distance;
  const moves = {
    ArrowLeft: [x - step, y, distance],
    ArrowRight: [x + step, y, distance],
    ArrowUp: [x, y + step, distance],
    ArrowDown: [x, y - step, distance],
    "+": [x, y, distance / 1.3],
    "=": [x, y, distance / 1.3],
    "-": [x, y, distance * 1.3],
    0: [0, 0, WHOLE],
  };
  if (!(key in moves)) return false;
  const [toX, toY, toDistance] = moves[key];
  plot.zoomToLocation([toX, toY], toDistance);
  return true;
}

/** Returns the pixels of a place: what the camera makes of it, in a view that is as high as the canvas. */
function onScreen(plot, x, y) {
  const view = plot.get("cameraView");
  const [width, height] = [plot.get("width"), plot.get("height")];
  const across = (view[0] * x + view[4] * y + view[12]) * (height / width);
  const up = view[1] * x + view[5] * y + view[13];
  return [((across + 1) / 2) * width, ((1 - up) / 2) * height];
}
