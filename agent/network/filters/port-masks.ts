/** Ports from first to last as ovs-ofctl matches them: values with masks, "80" or "0x50/0xfffc"; the fewest there are; pure. */
export function portMasks(first: number, last: number): readonly string[] {
  const masks: string[] = [];
  for (let from = first; from <= last; ) {
    let size = 1;
    // The largest block that begins here and does not go beyond the end.
    while (from % (size * 2) === 0 && from + size * 2 - 1 <= last) size *= 2;
    masks.push(size === 1 ? String(from) : `0x${from.toString(16)}/0x${(0x1_0000 - size).toString(16)}`);
    from += size;
  }
  return masks;
}
