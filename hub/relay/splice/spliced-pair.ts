import { Direction, type PairSocket } from "./direction.js";
import type { PipePool } from "./pipe-pool.js";
import type { SpliceOrder } from "./protocol.js";

type PairOrder = Extract<SpliceOrder, { type: "splice" }>;

/** Two sockets whose bytes are passed on, each to the other, and how long that may go on. */
export class SplicedPair {
  readonly #order: PairOrder;
  readonly #sockets: readonly [PairSocket, PairSocket];
  readonly #directions: readonly [Direction, Direction];
  #lastMovedMs: number;
  /** When one of them ended; undefined: neither has. */
  #endedMs: number | undefined;

  /** @param nowMs of a clock that only goes forward. */
  constructor(order: PairOrder, pipes: PipePool, nowMs: number) {
    this.#order = order;
    const [left, right] = order.fds.map((fd) => ({ fd, readable: true, writable: true })) as [PairSocket, PairSocket];
    this.#sockets = [left, right];
    this.#directions = [new Direction(left, right, pipes), new Direction(right, left, pipes)];
    this.#lastMovedMs = nowMs;
  }

  get fds(): readonly [number, number] {
    return this.#order.fds;
  }

  /** Both halves have ended. */
  get isOver(): boolean {
    return this.#directions.every(({ isOver }) => isOver);
  }

  /** When it has to end if nothing moves. */
  get deadlineMs(): number {
    const { idleMs, lingerMs } = this.#order;
    return Math.min(this.#lastMovedMs + idleMs, (this.#endedMs ?? Number.POSITIVE_INFINITY) + lingerMs);
  }

  /** One of the sockets can be read or written again. */
  note(side: number, { readable, writable }: { readonly readable: boolean; readonly writable: boolean }): void {
    const socket = this.#sockets[side];
    if (socket === undefined) return;
    socket.readable ||= readable;
    socket.writable ||= writable;
  }

  /** Moves what can be moved now. True: there is more, when others have had their turn. @throws as {@link Direction.move}. */
  move(nowMs: number): boolean {
    const [there, back] = this.#directions.map((direction) => direction.move()) as [
      ReturnType<Direction["move"]>,
      ReturnType<Direction["move"]>,
    ];
    const bytes = there.bytes + back.bytes;
    const { carried } = this.#order;
    // This thread is the only one that writes it.
    carried[0] = (carried[0] ?? 0) + there.bytes;
    carried[1] = (carried[1] ?? 0) + back.bytes;
    if (bytes > 0) this.#lastMovedMs = nowMs;
    if (this.#directions.some(({ isOver }) => isOver)) this.#endedMs ??= nowMs;
    return there.more || back.more;
  }

  release(): void {
    for (const direction of this.#directions) direction.release();
  }
}
