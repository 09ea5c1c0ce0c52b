// expect: AggregateError
export default async function (event, ctx) {
  throw new AggregateError([new Error('a'), null], 'both');
}
