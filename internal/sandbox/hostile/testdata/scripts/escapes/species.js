// expect: ok TypeError Error
export default async function (event, ctx) {
  class A extends Array { static get [Symbol.species]() { return Response; } } return new A(1, 2, 3).map((x) => x);
}
