// The event's clock and chance in place of the machine's: the same event runs the same code the same way.
(function (realm) {
  'use strict';

  // -- Date: the instant of the event, moved on by timers alone --

  realm.now = 0;
  const Genuine = Date;
  const construct = Reflect.construct;

  function Clocked(...given) {
    if (new.target === undefined) return new Genuine(realm.now).toString();
    const args = given.length === 0 ? [realm.now] : given;
    return construct(Genuine, args, new.target === Clocked ? Genuine : new.target);
  }
  const hidden = (value) => ({ value, writable: true, enumerable: false, configurable: true });
  Object.defineProperties(Clocked, {
    name: { value: 'Date', configurable: true },
    length: { value: 7, configurable: true },
    prototype: { value: Genuine.prototype, writable: false },
    now: hidden({ now() { return realm.now; } }.now),
    parse: hidden(Genuine.parse),
    UTC: hidden(Genuine.UTC),
  });
  Genuine.prototype.constructor = Clocked;
  globalThis.Date = Clocked;

  globalThis.performance = { now() { return realm.now - realm.began; }, get timeOrigin() { return realm.began; } };

  // -- Math.random: sfc32 (Chris Doty-Humphrey, PractRand), seeded by the event's identity --

  let a = 0;
  let b = 0;
  let c = 0;
  let counter = 1;

  let unused = null; // the seed of a login that has not asked for a number yet

  function sow(seed) {
    a = parseInt(seed.slice(0, 8), 16) | 0;
    b = parseInt(seed.slice(8, 16), 16) | 0;
    c = parseInt(seed.slice(16, 24), 16) | 0;
    counter = parseInt(seed.slice(24, 32), 16) | 1;
    unused = null;
    for (let i = 0; i < 12; i++) next();
  }

  function next() {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + sum) | 0;
    return sum >>> 0;
  }

  Math.random = {
    random() {
      if (unused !== null) sow(unused);
      return ((next() >>> 5) * 67108864 + (next() >>> 6)) / 9007199254740992;
    },
  }.random;

  // Sets clock and chance for a login: milliseconds since 1970, and a seed of 32 hexadecimal digits.
  realm.setTime = (now, seed) => {
    realm.now = realm.began = now;
    unused = seed;
  };
})
