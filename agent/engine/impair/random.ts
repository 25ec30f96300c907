/** Uniform numbers from a seed: xoshiro128** (Blackman and Vigna), filled by splitmix64. Not for secrets. Allocates nothing when used. */
export class Random {
  readonly #state = new Int32Array(4);

  /** @param stream tells apart sequences that come from the same seed. */
  constructor(seed: bigint, stream: number) {
    let x = BigInt.asUintN(64, seed ^ (BigInt(stream) * 0xd1342543de82ef95n));
    for (let word = 0; word < 4; word += 2) {
      x = BigInt.asUintN(64, x + 0x9e3779b97f4a7c15n);
      let z = x;
      z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
      z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
      z ^= z >> 31n;
      this.#state[word] = Number(BigInt.asIntN(32, z));
      this.#state[word + 1] = Number(BigInt.asIntN(32, z >> 32n));
    }
  }

  /** At least 0, less than 1, in steps of 2^-32. */
  next(): number {
    const state = this.#state;
    const [s0, s1, s2, s3] = [state[0] ?? 0, state[1] ?? 0, state[2] ?? 0, state[3] ?? 0];
    const scrambled = Math.imul(rotate(Math.imul(s1, 5), 7), 9);
    const third = s2 ^ s0;
    const fourth = s3 ^ s1;
    state[0] = s0 ^ fourth;
    state[1] = s1 ^ third;
    state[2] = third ^ (s1 << 9);
    state[3] = rotate(fourth, 11);
    return (scrambled >>> 0) / 4_294_967_296;
  }
}

function rotate(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by));
}
