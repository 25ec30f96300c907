import { measuredKindOf } from "../../../../lib/figures/subject-kind.js";
import type { WatchFiguresResponse } from "../../../../proto/gen/zor/v1/figures_service.js";

const [maxSubjects, maxFigures, maxText] = [100_000, 64, 300];
/** What may stand in names and parts: they are shown to people. */
const plain = /^[A-Za-z0-9_.:/-]*$/;

/** Why what an agent says of figures is not believed; undefined: it is. An agent speaks for its own host, and for ends of links on it. */
export function findLieInFigures(host: string, response: WatchFiguresResponse): string | undefined {
  const { subjects, steps, changes } = response;
  if (response.host !== `hosts/${host}`) return "it speaks of another host";
  if (subjects.length > maxSubjects) return "it tells of too many things at once";
  if (steps.length !== changes.length) return "it tells of more changes than values, or the other way round";
  for (const { name, part, figures } of subjects) {
    const isOwn = name === response.host || name.startsWith(`${response.host}/`) || name.startsWith("links/");
    if (!isOwn || measuredKindOf(name) === undefined) return "it tells of what is not on it";
    if (name.startsWith("links/") && !part.startsWith(`${response.host}/`))
      return "it tells of an end that is not on it";
    if (!plain.test(name) || name.length > maxText || !plain.test(part) || part.length > maxText)
      return "it tells of a name that is none";
    if (figures.length > maxFigures) return "it tells of too many figures of one thing";
  }
  return undefined;
}
