/**
 * The first place from `from` on, and before `to`, for which a question that is answered "no" up to some place and "yes" from there on is
 * answered "yes"; `to`: there is none. Asks no more than log2(to - from) + 1 times, and of no other places.
 * @param from @param to safe integers, of which `from` is not the greater.
 */
export function firstPlace(from: number, to: number, isReached: (place: number) => boolean): number {
  let [low, high] = [from, to];
  while (low < high) {
    const middle = low + Math.floor((high - low) / 2);
    if (isReached(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
