// Runs the first N migrations of a tool: run.mjs URL TOOL N [SECONDS], where
// the last of them takes so long.

import fs from 'node:fs';
import pg from 'pg';

const [url, tool, count, seconds] = process.argv.slice(2);
const n = Number(count);

const names = {
    'db-migrate': ['20240101000000-init', '20240201000000-prices'],
    drizzle: ['0000_init', '0001_prices'],
    knex: ['20240101_init', '20240201_prices'],
    kysely: ['2024_01_init', '2024_02_prices'],
    mikroorm: ['Migration20240101', 'Migration20240201'],
    'node-pg-migrate': ['1704067200000_init', '1706745600000_prices'],
    sequelize: ['20240101-init.js', '20240201-prices.js'],
    typeorm: ['Init1704067200000', 'Prices1706745600000'],
}[tool].slice(0, n);

const sql = i => `select pg_sleep(${i == n - 1 ? seconds ?? 0 : 0})`;

const tools = {
    async 'db-migrate'() {
        const { default: dbmigrate } = await import('db-migrate');

        fs.mkdirSync('migrations', { recursive: true });
        names.forEach((name, i) => fs.writeFileSync(`migrations/${name}.js`,
            `exports.setup = () => {};
             exports.up = (db, done) => db.runSql('${sql(i)}', done);
             exports._meta = { version: 1 };`));

        const { hostname: host, port, username: user } = new URL(url);
        const config = { dev: { driver: 'pg', host, port, user,
            database: 'test' } };

        const run = dbmigrate.getInstance(true, { env: 'dev', config,
            cwd: process.cwd() });

        run.silence(true);
        await run.up();
    },

    async drizzle() {
        const { drizzle } = await import('drizzle-orm/node-postgres');
        const { migrate } = await import('drizzle-orm/node-postgres/migrator');

        fs.mkdirSync('drizzle/meta', { recursive: true });
        names.forEach((name, i) =>
            fs.writeFileSync(`drizzle/${name}.sql`, sql(i)));
        fs.writeFileSync('drizzle/meta/_journal.json', JSON.stringify({
            version: '7', dialect: 'postgresql',
            entries: names.map((tag, idx) => ({ idx, version: '7', tag,
                when: [1704067200000, 1706745600000][idx],
                breakpoints: true })) }));

        await migrate(drizzle(new pg.Pool({ connectionString: url })),
            { migrationsFolder: 'drizzle' });
    },

    async knex() {
        const { default: knex } = await import('knex');

        await knex({ client: 'pg', connection: url }).migrate.latest({
            migrationSource: {
                getMigrations: async () => names,
                getMigrationName: name => name,
                getMigration: async name => ({
                    up: db => db.raw(sql(names.indexOf(name))),
                    down: async () => {} }) } });
    },

    async kysely() {
        const { Kysely, Migrator, PostgresDialect, sql: query }
            = await import('kysely');

        const dialect = new PostgresDialect({
            pool: new pg.Pool({ connectionString: url }) });
        const all = Object.fromEntries(names.map((name, i) => [name,
            { up: db => query.raw(sql(i)).execute(db) }]));

        const { error } = await new Migrator({ db: new Kysely({ dialect }),
            provider: { getMigrations: async () => all } }).migrateToLatest();

        if (error) {
            throw error;
        }
    },

    async mikroorm() {
        const { EntitySchema, MikroORM } = await import('@mikro-orm/postgresql');
        const { Migration, Migrator } = await import('@mikro-orm/migrations');

        const orm = await MikroORM.init({
            clientUrl: url, extensions: [Migrator], logger: () => {},
            entities: [new EntitySchema({ name: 'Shop',
                properties: { id: { type: 'number', primary: true } } })],
            migrations: { snapshot: false,
                migrationsList: names.map((name, i) => ({ name,
                    class: class extends Migration {
                        async up() { this.addSql(sql(i)); }
                    } })) } });

        await orm.getMigrator().up();
    },

    async 'node-pg-migrate'() {
        const { runner } = await import('node-pg-migrate');

        fs.mkdirSync('node-pg', { recursive: true });
        names.forEach((name, i) => fs.writeFileSync(`node-pg/${name}.sql`,
            `-- Up Migration\n${sql(i)};\n`));

        await runner({ databaseUrl: url, dir: 'node-pg', direction: 'up',
            migrationsTable: 'pgmigrations', log: () => {} });
    },

    async sequelize() {
        const { Sequelize } = await import('sequelize');
        const { SequelizeStorage, Umzug } = await import('umzug');

        const sequelize = new Sequelize(url, { logging: false });

        await new Umzug({ logger: undefined,
            storage: new SequelizeStorage({ sequelize }),
            migrations: names.map((name, i) => ({ name,
                up: () => sequelize.query(sql(i)) })) }).up();
    },

    async typeorm() {
        const { DataSource } = await import('typeorm');

        const migrations = names.map((name, i) => ({ [name]: class {
            name = name;
            up(runner) { return runner.query(sql(i)); }
            down() {}
        } })[name]);

        const source = new DataSource({ type: 'postgres', url, migrations });

        await source.initialize();
        await source.runMigrations({ transaction: 'each' });
    },
};

await tools[tool]();
process.exit(0);
