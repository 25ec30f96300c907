import type { ReadStream, WriteStream } from "node:tty";

/**
 * The terminal's input as Ink reads it, with what is typed going past `take` first, which gives back what is left for Ink. Everything else
 * is the input's own.
 */
export function inputPast(input: ReadStream, take: (typed: string) => string): ReadStream {
  const read = (): string | null => {
    const chunk = input.read() as string | Buffer | null;
    return chunk === null ? null : take(chunk.toString());
  };
  return seam(input, "read", read);
}

/** The terminal's output as Ink writes to it, with what is drawn going through `change`. */
export function outputThrough(output: WriteStream, change: (written: string) => string): WriteStream {
  const write = (data: string | Uint8Array, ...rest: readonly unknown[]): boolean => {
    const changed = typeof data === "string" ? change(data) : data;
    return (output.write as (...all: readonly unknown[]) => boolean).call(output, changed, ...rest);
  };
  return seam(output, "write", write);
}

function seam<T extends object>(stream: T, name: string, method: unknown): T {
  return new Proxy(stream, {
    get: (target, key) => {
      if (key === name) return method;
      const value: unknown = Reflect.get(target, key);
      // Methods are to be the stream's own, not those of what stands before it.
      return typeof value === "function" ? value.bind(target) : value;
    },
    set: (target, key, value) => Reflect.set(target, key, value),
  });
}
