// expect: PayloadInvalid
export default async function (event, ctx) {
  return () => 1;
}
