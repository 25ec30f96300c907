import { isReached, type Scene, type SceneThing } from "./scene.js";

// A cell across is half as far to the eye as one down.
const eye = { x: 1, y: 2 } as const;
/** What is aside counts so much more than what is ahead. */
const aside = 2;
/** At the other end of a cable: so much nearer. */
const cabled = 0.4;
/** Where the arrow would lead back the next time: so much further. */
const astray = 20;

export const directions = ["up", "right", "down", "left"] as const;
export type Direction = (typeof directions)[number];

type Steps = Partial<Record<Direction, SceneThing>>;

/** More things than this are not joined up: arrows go to what is near, and what they miss Tab comes to. */
const mostJoined = 1500;

/** Where arrows lead on a scene: every thing can be walked to from every other, as far as that takes no time. */
export class Walk {
  readonly scene: Scene;
  readonly #things: readonly SceneThing[];
  readonly #tied = new Map<string, Set<string>>();
  readonly #steps = new Map<SceneThing, Steps>();
  readonly #reached = new Set<SceneThing>();

  constructor(scene: Scene) {
    this.scene = scene;
    this.#things = scene.things.filter(isReached);
    for (const { from, to } of scene.routes) {
      this.#tie(from, to);
      this.#tie(to, from);
    }
    if (this.#things.length <= mostJoined) this.#joinUp();
  }

  /** What lies next in a direction: what a cable leads to is nearer than what just stands there. Undefined: nothing does. */
  step(name: string, direction: Direction): string | undefined {
    const from = this.scene.byName.get(name);
    return from === undefined ? undefined : this.#stepsOf(from)[direction]?.name;
  }

  #tie(from: string, to: string): void {
    const known = this.#tied.get(from) ?? new Set();
    this.#tied.set(from, known.add(to));
  }

  #stepsOf(from: SceneThing): Steps {
    const known = this.#steps.get(from);
    if (known !== undefined) return known;
    const tied = this.#tied.get(from.name);
    const best: Partial<Record<Direction, { readonly thing: SceneThing; readonly score: number }>> = {};
    for (const thing of this.#things) {
      if (thing === from) continue;
      const weight = tied?.has(thing.name) === true ? cabled : 1;
      for (const direction of directions) {
        const score = scoreOf(from, thing, direction);
        if (score === undefined || score * weight >= (best[direction]?.score ?? Number.POSITIVE_INFINITY)) continue;
        best[direction] = { thing, score: score * weight };
      }
    }
    const steps = Object.fromEntries(directions.map((direction) => [direction, best[direction]?.thing])) as Steps;
    this.#steps.set(from, steps);
    return steps;
  }

  /** What no arrow leads to is put between two things, as an arrow leads from one to the other past it. */
  #joinUp(): void {
    const [first] = this.#things;
    if (first === undefined) return;
    this.#reachFrom(first);
    for (const thing of this.#things) {
      if (this.#reached.has(thing)) continue;
      const way = this.#wayTo(thing);
      if (way === undefined) continue;
      const steps = this.#stepsOf(way.from);
      this.#steps.set(thing, { ...this.#stepsOf(thing), [way.direction]: steps[way.direction] });
      this.#steps.set(way.from, { ...steps, [way.direction]: thing });
      this.#reachFrom(thing);
    }
  }

  #reachFrom(thing: SceneThing): void {
    const next = [thing];
    for (let at = next.pop(); at !== undefined; at = next.pop()) {
      if (this.#reached.has(at)) continue;
      this.#reached.add(at);
      for (const step of Object.values(this.#stepsOf(at))) if (step !== undefined) next.push(step);
    }
  }

  /** From where a thing is best walked to. */
  #wayTo(thing: SceneThing): { readonly from: SceneThing; readonly direction: Direction } | undefined {
    let best: { readonly from: SceneThing; readonly direction: Direction; readonly score: number } | undefined;
    for (const from of this.#reached) {
      for (const direction of directions) {
        const near = scoreOf(from, thing, direction);
        if (near === undefined) continue;
        const after = this.#stepsOf(from)[direction];
        const isPast = after === undefined || scoreOf(thing, after, direction) !== undefined;
        const tied = this.#tied.get(from.name)?.has(thing.name) === true ? cabled : 1;
        const score = near * tied * (isPast ? 1 : astray);
        if (best === undefined || score < best.score) best = { from, direction, score };
      }
    }
    return best;
  }
}

/** How far a thing is in a direction; undefined: it does not lie there. */
function scoreOf({ label: from }: SceneThing, { label: to }: SceneThing, direction: Direction): number | undefined {
  const isDown = direction === "up" || direction === "down";
  const sign = direction === "down" || direction === "right" ? 1 : -1;
  const across = gapBetween(from.x, from.x + from.width, to.x, to.x + to.width) * eye.x;
  const down = (to.y - from.y) * eye.y;
  if (isDown) return sign * down <= 0 ? undefined : sign * down + Math.abs(across) * aside;
  // What begins further on: names of one column are not beside each other.
  const ahead = sign > 0 ? to.x - from.x : from.x + from.width - to.x - to.width;
  if (ahead <= 0 || sign * across < 0) return undefined;
  return Math.abs(across) + Math.abs(down) * aside;
}

/** From one stretch to another: 0 when they overlap, negative when the other comes before. */
function gapBetween(begin: number, end: number, otherBegin: number, otherEnd: number): number {
  if (otherBegin >= end) return otherBegin - end + 1;
  return otherEnd <= begin ? otherEnd - begin - 1 : 0;
}

/** The next thing in reading order, or the one before; after the last comes the first. */
export function nextFrom({ things }: Scene, name: string, by: 1 | -1): string | undefined {
  const reached = things.filter(isReached);
  const at = reached.findIndex((thing) => thing.name === name);
  return reached[(at + by + reached.length) % reached.length]?.name;
}

/** The thing that is nearest to where another one was, or the first of all. */
export function nearestTo(scene: Scene, gone: SceneThing | undefined): string | undefined {
  if (gone === undefined) return scene.things.find(isReached)?.name;
  let best: { readonly name: string; readonly distance: number } | undefined;
  for (const { name, label, host } of scene.byName.values()) {
    const apart = Math.abs(label.x - gone.label.x) * eye.x + Math.abs(label.y - gone.label.y) * eye.y;
    const distance = host === gone.host ? apart : apart + 1000;
    if (best === undefined || distance < best.distance) best = { name, distance };
  }
  return best?.name;
}
