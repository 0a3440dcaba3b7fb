// The pictures that somebody keeps: a list that `sagan sample --seeds-from` reads. It stays in this browser until it is cleared.

const PREFIX = "liked ";

/** The list of one generator. name: what it is called; classes: their names. */
export class Liked {
  constructor(name, classes) {
    this.key = PREFIX + name;
    this.classes = classes;
    const stored = JSON.parse(localStorage.getItem(this.key) ?? "[]");
    this.lines = Array.isArray(stored) ? stored.filter((line) => typeof line === "string") : [];
  }

  /** A picture as a line: seed, class, truncation. A name that would break the line gives way to its number. */
  line({ seed, label, truncation }) {
    const name = this.classes[label] ?? "";
    const word = name === name.trim().replace(/\s+/g, " ") ? name : String(label);
    return [seed, word, truncation].join("\t");
  }

  has(picture) {
    return this.lines.includes(this.line(picture));
  }

  /** Keep a picture, or let it go again. */
  toggle(picture) {
    const line = this.line(picture);
    this.lines = this.has(picture) ? this.lines.filter((other) => other !== line) : [...this.lines, line];
    localStorage.setItem(this.key, JSON.stringify(this.lines));
  }

  file() {
    const remarks = "# kept in sagan explore, drawn again by sagan sample ... --seeds-from liked.txt\n# seed, class, truncation\n";
    return new Blob([remarks, this.lines.map((line) => `${line}\n`).join("")], { type: "text/plain" });
  }
}
