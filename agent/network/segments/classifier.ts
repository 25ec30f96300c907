import { close, errno, lastErrno, NativeMemory, SystemCallError } from "../../../lib/libc.js";
import { openNetlinkSocket, recv, send } from "../../../lib/net/socket-calls.js";

// rtnetlink(7), linux/pkt_sched.h, linux/pkt_cls.h
const NETLINK_ROUTE = 0;
const [newQdisc, newFilter, getFilter, getLink, newLink] = [36, 44, 46, 18, 16];
const [errorMessage, lastMessage] = [2, 3];
const [request, acknowledged, exclusive, create, dump] = [0x1, 0x4, 0x200, 0x400, 0x300];
const [clsact, clsactHandle] = [0xffff_fff1, 0xffff_0000];
const parents = { ingress: 0xffff_fff2, egress: 0xffff_fff3 } as const;
const allProtocols = 0x0300;
const [attributeKind, attributeOptions] = [1, 2];
const [bpfDescriptor, bpfName, bpfFlags, bpfId] = [6, 7, 8, 11];
/** TCA_BPF_FLAG_ACT_DIRECT: what the program returns is what is done. */
const direct = 1;
const [headerBytes, tcBytes] = [16, 20];
const EEXIST = 17;
/** The upper bits of a type are flags. */
const attributeTypes = 0x3fff;
const answerBytes = 65_536;

/** A program at one side of a device: of what comes in there, or of what goes out. */
export interface Classifier {
  readonly ifindex: number;
  readonly side: keyof typeof parents;
  /** The order in which filters see a frame; also what it is known by. */
  readonly priority: number;
  readonly name: string;
  /** Descriptor of the program. */
  readonly program: number;
}

/**
 * Has a program see the frames of devices of the thread's net namespace; in the place of one of the same priority. They are made one
 * after the other, and what is there stays when one fails. Never waits.
 * @throws {SystemCallError} ENODEV: no such device; ENOENT or EOPNOTSUPP: a kernel without clsact or cls_bpf.
 */
export function setClassifiers(classifiers: readonly Classifier[]): void {
  const fd = openNetlinkSocket(NETLINK_ROUTE, 0);
  try {
    for (const classifier of classifiers) {
      setQdisc(fd, classifier.ifindex);
      setFilter(fd, classifier);
    }
  } finally {
    close(fd);
  }
}

/**
 * The programs of a name and priority at both sides of the first device of the thread's net namespace that has one at each. Never waits.
 * @returns undefined: there is no such device.
 * @throws {SystemCallError}
 */
export function findClassifiers(
  name: string,
  priority: number,
): Readonly<Record<keyof typeof parents, number>> | undefined {
  const fd = openNetlinkSocket(NETLINK_ROUTE, 0);
  try {
    for (const ifindex of listDevices(fd)) {
      const ingress = findProgram(fd, { ifindex, side: "ingress", priority, name });
      const egress = ingress === undefined ? undefined : findProgram(fd, { ifindex, side: "egress", priority, name });
      if (ingress !== undefined && egress !== undefined) return { ingress, egress };
    }
    return undefined;
  } finally {
    close(fd);
  }
}

/**
 * How many filters of these kinds see what leaves or comes in at a device of the thread's net namespace; 0 where nothing can. Never waits.
 * @throws {SystemCallError} when the kernel does not answer.
 */
export function countFilters(ifindex: number, side: Classifier["side"], kinds: readonly string[]): number {
  const fd = openNetlinkSocket(NETLINK_ROUTE, 0);
  try {
    const head = { type: getFilter, flags: request | dump, ifindex, handle: 0, parent: parents[side], info: 0 };
    const found = ask(fd, "filters", head).filter((answer) => {
      if (answer.readUInt16LE(4) !== newFilter) return false;
      const kind = readAttributes(answer.subarray(headerBytes + tcBytes))
        .get(attributeKind)
        ?.toString("latin1");
      return kinds.some((each) => kind === `${each}\0`);
    });
    return found.length;
  } finally {
    close(fd);
  }
}

function findProgram(fd: number, which: Omit<Classifier, "program">): number | undefined {
  const [answer] = ask(fd, "filter", filterHead(getFilter, request, which), attribute(attributeKind, text("bpf")));
  if (answer === undefined || answer.readUInt16LE(4) !== newFilter) return undefined;
  const options = readAttributes(answer.subarray(headerBytes + tcBytes)).get(attributeOptions);
  const said = readAttributes(options ?? Buffer.alloc(0));
  if (said.get(bpfName)?.toString("latin1") !== `${which.name}\0`) return undefined;
  return said.get(bpfId)?.readUInt32LE(0);
}

function listDevices(fd: number): readonly number[] {
  const whole = Buffer.alloc(headerBytes + 16);
  whole.writeUInt32LE(whole.length, 0);
  whole.writeUInt16LE(getLink, 4);
  whole.writeUInt16LE(request | dump, 6);
  return exchange(fd, "links", whole)
    .filter((answer) => answer.readUInt16LE(4) === newLink)
    .map((answer) => answer.readInt32LE(headerBytes + 4));
}

function setQdisc(fd: number, ifindex: number): void {
  const head = { type: newQdisc, flags: request | acknowledged | create | exclusive };
  const answers = ask(
    fd,
    "clsact",
    { ...head, ifindex, handle: clsactHandle, parent: clsact, info: 0 },
    attribute(attributeKind, text("clsact")),
  );
  assertDone("clsact", answers, EEXIST);
}

function setFilter(fd: number, classifier: Classifier): void {
  const options = [
    attribute(bpfDescriptor, word(classifier.program)),
    attribute(bpfName, text(classifier.name)),
    attribute(bpfFlags, word(direct)),
  ];
  const head = filterHead(newFilter, request | acknowledged | create, classifier);
  const kind = attribute(attributeKind, text("bpf"));
  assertDone("cls_bpf", ask(fd, "cls_bpf", head, kind, attribute(attributeOptions, Buffer.concat(options))));
}

/** Start of a message about a filter or qdisc, struct nlmsghdr and struct tcmsg. */
interface Head {
  readonly type: number;
  readonly flags: number;
  readonly ifindex: number;
  readonly handle: number;
  readonly parent: number;
  readonly info: number;
}

function filterHead(type: number, flags: number, { ifindex, side, priority }: Omit<Classifier, "program">): Head {
  const info = ((priority << 16) | allProtocols) >>> 0;
  return { type, flags, ifindex, handle: 1, parent: parents[side], info };
}

function ask(fd: number, what: string, head: Head, ...attributes: readonly Buffer[]): readonly Buffer[] {
  const whole = Buffer.concat([Buffer.alloc(headerBytes + tcBytes), ...attributes]);
  whole.writeUInt32LE(whole.length, 0);
  whole.writeUInt16LE(head.type, 4);
  whole.writeUInt16LE(head.flags, 6);
  whole.writeInt32LE(head.ifindex, headerBytes + 4);
  whole.writeUInt32LE(head.handle, headerBytes + 8);
  whole.writeUInt32LE(head.parent, headerBytes + 12);
  whole.writeUInt32LE(head.info, headerBytes + 16);
  return exchange(fd, what, whole);
}

/** Sends a message and reads what there is of the answer: the kernel acts, and answers, before send(2) returns; of lists it goes on with each read. */
function exchange(fd: number, what: string, message: Buffer): readonly Buffer[] {
  const memory = new NativeMemory(Math.max(message.length, answerBytes));
  memory.buffer.set(message);
  if (send(fd, memory.address, message.length, 0) < 0) throw new SystemCallError(what, lastErrno());
  const answers: Buffer[] = [];
  for (;;) {
    const count = recv(fd, memory.address, memory.buffer.length, 0);
    if (count < 0) {
      if (lastErrno() === errno.EAGAIN) return answers;
      throw new SystemCallError(what, lastErrno());
    }
    for (let at = 0; at + headerBytes <= count; ) {
      const bytes = memory.buffer.readUInt32LE(at);
      if (bytes < headerBytes || at + bytes > count) throw new SystemCallError(what, errno.EIO);
      if (memory.buffer.readUInt16LE(at + 4) === lastMessage) return answers;
      answers.push(Buffer.from(memory.buffer.subarray(at, at + bytes)));
      at += Math.ceil(bytes / 4) * 4;
    }
  }
}

/** @param fine an error that is none. */
function assertDone(what: string, [answer]: readonly Buffer[], fine = 0): void {
  if (answer === undefined || answer.readUInt16LE(4) !== errorMessage || answer.length < headerBytes + 4)
    throw new SystemCallError(what, errno.EIO);
  const code = -answer.readInt32LE(headerBytes);
  if (code !== 0 && code !== fine) throw new SystemCallError(what, code);
}

function readAttributes(bytes: Buffer): ReadonlyMap<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = bytes.readUInt16LE(at);
    if (length < 4 || at + length > bytes.length) break;
    found.set(bytes.readUInt16LE(at + 2) & attributeTypes, bytes.subarray(at + 4, at + length));
    at += Math.ceil(length / 4) * 4;
  }
  return found;
}

function attribute(type: number, value: Buffer): Buffer {
  const length = 4 + value.length;
  const bytes = Buffer.alloc(Math.ceil(length / 4) * 4);
  bytes.writeUInt16LE(length, 0);
  bytes.writeUInt16LE(type, 2);
  value.copy(bytes, 4);
  return bytes;
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function text(value: string): Buffer {
  return Buffer.from(`${value}\0`, "latin1");
}
