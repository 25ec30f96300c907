import { Assembler, type Register } from "./assembler.js";

/** What is known of a stream: both IP addresses, 16 bytes each (IPv4 in the first 8 of all), and both ports. */
export const keyBytes = 36;
/** A size of segments, a word. */
export const valueBytes = 4;

/** Helpers of the kernel, by number (bpf-helpers(7)). */
const helpers = { lookUp: 1, update: 2, pushTag: 18, popTag: 19, loadBytes: 26, adjustRoom: 50 } as const;
/** Offset of gso_size in struct __sk_buff. */
const segmentSize = 176;
/** TC_ACT_UNSPEC: what else is to be done with the frame is for other filters to say. */
const goOn = -1;
/** TC_ACT_STOLEN: somebody has it; the frame goes no further, and nothing counts it as lost. */
const taken = 4;
/** Types of what follows an ethernet header, as a little-endian load reads them. */
const types = { ipv4: 0x0008, ipv6: 0xdd86, tag: 0x0081, serviceTag: 0xa888 } as const;
const [ethernetBytes, tagBytes, tcp] = [14, 4, 6];
/** BPF_ADJ_ROOM_MAC: bytes between the ethernet header and the next; BPF_F_ADJ_ROOM_FIXED_GSO: the size of segments stays. */
const [roomBehindEthernet, keepSegments] = [1, 1];
/** The kernel moves at most 0xfff bytes at once; three times are enough for any interface of ours. */
const [maxStep, steps] = [0xfff, 3];

/** Places on the stack. */
const stack = { key: -40, ports: -8, scratch: -48, value: -56, tag: -64 } as const;
const [context, layer3, size, surplus] = [6, 7, 8, 9] as const;

/**
 * For frames that come into the switch: keeps, by stream, the size of the segments that a super-frame of TCP is made of.
 * @param map descriptor of the map of sizes.
 */
export function rememberSegments(map: number): Buffer {
  const program = new Assembler();
  findStream(program);
  program.store("word", stack.value, { register: size });
  program.loadMap(1, map);
  pointer(program, 2, stack.key);
  pointer(program, 3, stack.value);
  program.move(4, 0);
  program.call(helpers.update);
  finish(program);
  return program.assemble();
}

/**
 * For frames that leave the switch: gives a super-frame of TCP segments no larger than those it came with.
 *
 * The kernel has no way to say a size; but making room in front of the IP header takes it off the segments' size, and taking the room
 * away again need not give it back. A tag in front of the header is taken off meanwhile.
 * @param map descriptor of the map of sizes.
 */
export function restoreSegments(map: number): Buffer {
  const program = new Assembler();
  findStream(program);
  program.loadMap(1, map);
  pointer(program, 2, stack.key);
  program.call(helpers.lookUp);
  program.jumpIf(0, "equal", 0, "out");
  program.load("word", 1, { base: 0, offset: 0 });
  program.jumpIf(1, "equal", 0, "out");
  program.jumpIf(size, "lessOrEqual", { register: 1 }, "out");
  program.move(surplus, { register: size });
  program.subtract(surplus, { register: 1 });
  program.jumpIf(layer3, "equal", ethernetBytes, "untagged");
  loadBytes(program, { from: ethernetBytes - 2, to: stack.tag, count: tagBytes });
  program.jumpIf(0, "notEqual", 0, "out");
  program.move(1, { register: context });
  program.call(helpers.popTag);
  program.jumpIf(0, "notEqual", 0, "out");
  program.label("untagged");
  for (let step = 0; step < steps; step += 1) shrink(program, step);
  program.label("shrunk");
  program.jumpIf(layer3, "equal", ethernetBytes, "out");
  program.move(1, { register: context });
  program.load("half", 2, { base: 10, offset: stack.tag });
  // The tag itself is as it stands in the frame, and is given as a number.
  program.load("byte", 3, { base: 10, offset: stack.tag + 2 });
  program.shiftLeft(3, 8);
  program.load("byte", 4, { base: 10, offset: stack.tag + 3 });
  program.add(3, { register: 4 });
  program.call(helpers.pushTag);
  finish(program);
  return program.assemble();
}

/**
 * For frames that have come into the switch, which reads them with a socket: nobody else is to have them. The host's own stack would look at
 * each, and count those of protocols that it does not know, as a guest's or a test's may be, as dropped by the port.
 */
export function takeAll(): Buffer {
  const program = new Assembler();
  program.move(0, taken);
  program.exit();
  return program.assemble();
}

/** Takes up to {@link maxStep} of the surplus off the segments' size. */
function shrink(program: Assembler, step: number): void {
  const done = `step${step}`;
  program.jumpIf(surplus, "equal", 0, "shrunk");
  program.move(layer3Step, { register: surplus });
  program.jumpIf(layer3Step, "lessOrEqual", maxStep, done);
  program.move(layer3Step, maxStep);
  program.label(done);
  program.subtract(surplus, { register: layer3Step });
  adjustRoom(program, 0, false);
  program.jumpIf(0, "notEqual", 0, "shrunk");
  adjustRoom(program, keepSegments, true);
  program.jumpIf(0, "notEqual", 0, "shrunk");
}

/** The size is not needed any more when a step is. */
const layer3Step = size;

function adjustRoom(program: Assembler, flags: number, back: boolean): void {
  program.move(1, { register: context });
  program.move(2, { register: layer3Step });
  if (back) program.negate(2);
  program.move(3, roomBehindEthernet);
  program.move(4, flags);
  program.call(helpers.adjustRoom);
}

/** Leaves the key on the stack, the segments' size and the start of the IP header in registers; goes out for all but super-frames of TCP. */
function findStream(program: Assembler): void {
  program.move(context, { register: 1 });
  program.load("word", size, { base: 1, offset: segmentSize });
  program.jumpIf(size, "equal", 0, "out");
  for (let offset = stack.key; offset < stack.ports; offset += 8) program.store("double", offset, 0);
  program.move(layer3, ethernetBytes);
  loadType(program);
  for (const behind of ["first", "second"]) {
    program.jumpIf(1, "equal", types.tag, behind);
    program.jumpIf(1, "notEqual", types.serviceTag, "untaggedType");
    program.label(behind);
    program.add(layer3, tagBytes);
    loadType(program);
  }
  program.label("untaggedType");
  program.jumpIf(1, "equal", types.ipv4, "ipv4");
  program.jumpIf(1, "notEqual", types.ipv6, "out");
  loadBytes(program, { behind: 6, to: stack.scratch, count: 1 });
  leaveUnlessTcp(program);
  loadBytes(program, { behind: 8, to: stack.key, count: 32 });
  program.jumpIf(0, "notEqual", 0, "out");
  program.move(2, 40);
  program.jump("ports");
  program.label("ipv4");
  loadBytes(program, { behind: 9, to: stack.scratch, count: 1 });
  leaveUnlessTcp(program);
  loadBytes(program, { behind: 12, to: stack.key, count: 8 });
  program.jumpIf(0, "notEqual", 0, "out");
  loadBytes(program, { behind: 0, to: stack.scratch, count: 1 });
  program.jumpIf(0, "notEqual", 0, "out");
  program.load("byte", 2, { base: 10, offset: stack.scratch });
  program.and(2, 0x0f);
  program.shiftLeft(2, 2);
  program.label("ports");
  program.add(2, { register: layer3 });
  program.move(1, { register: context });
  pointer(program, 3, stack.ports);
  program.move(4, 4);
  program.call(helpers.loadBytes);
  program.jumpIf(0, "notEqual", 0, "out");
}

/** r1 = the type that stands in front of what the register says is next. */
function loadType(program: Assembler): void {
  loadBytes(program, { behind: -2, to: stack.scratch, count: 2 });
  program.jumpIf(0, "notEqual", 0, "out");
  program.load("half", 1, { base: 10, offset: stack.scratch });
}

function leaveUnlessTcp(program: Assembler): void {
  program.jumpIf(0, "notEqual", 0, "out");
  program.load("byte", 1, { base: 10, offset: stack.scratch });
  program.jumpIf(1, "notEqual", tcp, "out");
}

type Bytes = { readonly to: number; readonly count: number } & (
  | { readonly from: number }
  /** From the start of the IP header on. */
  | { readonly behind: number }
);

/** Copies bytes of the frame to the stack; r0 is 0 when they were there. */
function loadBytes(program: Assembler, bytes: Bytes): void {
  program.move(1, { register: context });
  if ("from" in bytes) program.move(2, bytes.from);
  else {
    program.move(2, { register: layer3 });
    program.add(2, bytes.behind);
  }
  pointer(program, 3, bytes.to);
  program.move(4, bytes.count);
  program.call(helpers.loadBytes);
}

/** Lets a register point to a place on the stack. */
function pointer(program: Assembler, to: Register, offset: number): void {
  program.move(to, { register: 10 });
  program.add(to, offset);
}

function finish(program: Assembler): void {
  program.label("out");
  program.move(0, goOn);
  program.exit();
}
