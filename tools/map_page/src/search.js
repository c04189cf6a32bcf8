// Finds points by words in their texts, ids and the names of their groups.

/** Returns a function from what is typed to the points that hold all its words, in the order of the points. */
export function searcher(map) {
  const names = [...map.groups.map((group) => group.path.toLowerCase()), "in no group"];
  let folded = null; // made at the first search, for it is as long as all texts
  return (typed) => {
    const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length) return [];
    folded ??= map.texts.map((text, at) => `${text}\n${map.ids[at]}`.toLowerCase());
    const inName = names.map((name) => words.map((word) => name.includes(word)));
    const found = [];
    for (let at = 0; at < map.n; at += 1) {
      const named = inName[map.group[at] < 0 ? names.length - 1 : map.group[at]];
      if (words.every((word, place) => named[place] || folded[at].includes(word))) found.push(at);
    }
    return found;
  };
}
