import { readFile } from "node:fs/promises";
import { isAlive, type ProcessIdentity } from "../../../lib/process.js";
import { withDescriptorsOf } from "../../host/descriptors-of.js";

/** What /proc says of a pseudo-terminal's own side, in whichever devpts it was made. */
const master = /^\/dev\/(?:pts\/)?ptmx$/;

/**
 * Makes the terminal of a container, or of a command in one, this large before it resolves; false: it is not one that conmon holds.
 *
 * conmon itself is told sizes through a pipe beside the socket that brings what is typed, so that what is typed may be there first; and of
 * two lines that it reads at once it does the first one twice (2.1.6, `read_from_ctrl_buffer`): the size would stay wrong.
 * @param first the process that conmon began there, and is the parent of.
 */
export async function resizeHeldTerminal(
  first: ProcessIdentity,
  { columns, rows }: { readonly columns: number; readonly rows: number },
): Promise<boolean> {
  const holder = await conmonOf(first);
  if (holder === undefined) return false;
  // Loaded on first use: the agent stays small as long as nobody opens a terminal.
  const { resizePty } = await import("../../host/pty.js");
  let isDone = false;
  await withDescriptorsOf(
    holder,
    (target) => master.test(target),
    (fd) => {
      resizePty(fd, columns, rows);
      isDone = true;
    },
  );
  return isDone;
}

async function conmonOf(first: ProcessIdentity): Promise<number | undefined> {
  const stat = await readFile(`/proc/${first.pid}/stat`, "utf8").catch(() => "");
  // The parent follows the state, and that the name in parentheses, which may hold any character.
  const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1] ?? 0);
  // Looked at afterwards: then it was its parent.
  if (!(parent > 1) || !(await isAlive(first))) return undefined;
  const name = await readFile(`/proc/${parent}/comm`, "utf8").catch(() => "");
  return name.trim() === "conmon" ? parent : undefined;
}
