import { kindNamed } from "../../lib/kinds/kinds.js";
import { InstanceState } from "../../proto/gen/zor/v1/instance.js";
import { InstanceServiceService } from "../../proto/gen/zor/v1/instance_service.js";
import { DiskLook } from "../../proto/gen/zor/v1/disk_service.js";
import { runInGuest } from "./copy/guest-run.js";
import { lookInto } from "./disk/look.js";
import { splitPlace } from "./disk/places.js";
import { resolveName } from "./resolve.js";
import type { Session } from "./session.js";

/** Commands whose words may be places in instances. */
const commands: ReadonlySet<string> = new Set(["cp", "disk ls", "disk cat", "disk cp", "disk edit"]);
const maxNames = 200;
const maxTextBytes = 64 * 1024;
const directoryType = 0o040000;

/** Arguments: directory, beginning of a name. */
const listScript = `cd -- "$1" || exit 0; for f in "$2"*; do if [ -d "$f" ]; then echo "$f/"; elif [ -e "$f" ]; then echo "$f"; fi; done | head -n ${maxNames}`;

/** Whether a word of a command is a path in an instance that can be completed; pure. */
export function isInsidePath(command: string, word: string): boolean {
  return commands.has(command) && !/^[./-]/.test(word) && splitPlace(word)?.path !== undefined;
}

/**
 * What such a word may go on with, whole: INSTANCE:/PATH. An instance that runs is asked itself; of one that does not only containers are
 * looked into, since a machine takes seconds. @throws whatever is in the way: nobody sees it.
 */
export async function completeInside(session: Session, word: string, signal: AbortSignal): Promise<string[]> {
  const parts = splitPlace(word);
  if (parts?.path === undefined || parts.disk !== "") return [];
  const cut = parts.path.lastIndexOf("/") + 1;
  const [directory, begun] = [parts.path.slice(0, cut), parts.path.slice(cut)];
  const name = await resolveName(session, kindNamed("instance"), parts.instance, undefined);
  const connection = await session.connect();
  const { instance } = await connection.unary(InstanceServiceService.getInstance, { name }, { signal });
  const found: string[] = [];
  if (instance?.status?.state === InstanceState.INSTANCE_STATE_RUNNING) {
    let text = "";
    const script = { name, script: listScript, words: [directory, begun], signal };
    for await (const data of runInGuest(connection, script)) {
      text += data.toString("utf8");
      if (text.length > maxTextBytes) break;
    }
    found.push(...text.split("\n"));
  } else if (instance?.spec?.driver?.$case === "crun") {
    const place = { name, disk: "", filesystem: "", path: directory };
    for await (const part of lookInto(session, place, DiskLook.DISK_LOOK_LIST)) {
      if (part.$case !== "entry") continue;
      const each = part.value.name.toString("utf8");
      if (each.startsWith(begun)) found.push((part.value.mode & 0o170000) === directoryType ? `${each}/` : each);
    }
  }
  const before = word.slice(0, word.length - begun.length);
  return found
    .filter(isPlain)
    .slice(0, maxNames)
    .map((each) => before + each);
}

/** Shells may expand what they are offered. */
function isPlain(name: string): boolean {
  return /^[\w.,+@%=-]{1,255}\/?$/.test(name);
}
