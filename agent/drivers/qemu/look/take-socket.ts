import { lchown, link, lstat, rm } from "node:fs/promises";

/**
 * Gives a socket of one program a second name, by which another user's program may connect. Who made it owns its directory and may have
 * put anything in its place: no link is followed, and nothing but a socket is given away.
 * @throws {Error} for what is no socket.
 */
export async function takeSocket(socket: string, own: string, user: number): Promise<void> {
  // Of a link this is a name of the link itself (link(2)).
  await link(socket, own);
  if ((await lstat(own)).isSocket()) return await lchown(own, user, user);
  await rm(own, { force: true });
  throw new Error("what serves the disks has put something else in the place of its socket");
}
