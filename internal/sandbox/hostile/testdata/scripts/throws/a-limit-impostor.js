// expect: WallLimitExceeded
export default async function (event, ctx) {
  class WallLimitExceeded extends Error {} throw Object.assign(new WallLimitExceeded('mine'), { reason: 'timeout' });
}
