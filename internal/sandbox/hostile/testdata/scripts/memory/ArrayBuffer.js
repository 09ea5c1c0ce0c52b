// expect: MemoryLimitExceeded SandboxDied RangeError
export default async function (event, ctx) {
  return new ArrayBuffer(2 ** 31).byteLength;
}
