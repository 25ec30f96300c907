/** Of what is counted up, a line is told each time that a tenth more is done. */
const tenths = 10;

/**
 * Which steps are worth a line of their own where nothing can be written over: a step that differs from the last only in its numbers, "sends 12 of 400 MB",
 * is told again when a tenth more is done.
 */
export class ToldSteps {
  #words = "";
  #step = "";
  #tenth = 0;

  /** Whether this step is told. @param percent how much of everything is done, of steps that do not say it. */
  isTold(step: string, percent?: number): boolean {
    if (step === "" || step === this.#step) return false;
    const words = step.replace(/\d+(?:\.\d+)?/g, "#");
    const tenth = tenthOf(step, percent);
    const isSame = words === this.#words && tenth !== undefined;
    this.#step = step;
    // What begins anew is told from its beginning.
    if (isSame && tenth === this.#tenth) return false;
    this.#words = words;
    this.#tenth = tenth ?? 0;
    return true;
  }
}

function tenthOf(step: string, percent: number | undefined): number | undefined {
  const [, done, , all] = /(\d+(?:\.\d+)?) ?([A-Za-z]+ )?of (\d+(?:\.\d+)?)/.exec(step) ?? [];
  const [, share] = /(\d+(?:\.\d+)?) ?%/.exec(step) ?? [];
  if (done !== undefined && Number(all) > 0) return Math.floor((Number(done) / Number(all)) * tenths);
  if (share !== undefined) return Math.floor((Number(share) / 100) * tenths);
  return percent === undefined ? undefined : Math.floor((percent / 100) * tenths);
}
