// tests/web/e2e/main.mjs - all tests of the page, one after the other, over one server and one browser
// (tests/system/web.sh starts it).
import { after, before } from 'node:test';
import { launch, Server } from './lib.mjs';
import hostile from './hostile.mjs';
import map from './map.mjs';
import power from './power.mjs';
import together from './together.mjs';
import volume from './volume.mjs';

const world = {};

before(async () => {
    world.server = await new Server('main').start();
    world.browser = await launch();
});

after(async () => {
    await world.browser?.close();
    await world.server?.stop();
});

map(world);
volume(world);
together(world);
power(world);
hostile(world);
