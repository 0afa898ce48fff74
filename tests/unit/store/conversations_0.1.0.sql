-- A conversation file as version 0.1.0 wrote it.
BEGIN TRANSACTION;
CREATE TABLE conversation (
            conversation_id TEXT PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            system TEXT NOT NULL,
            started REAL NOT NULL,
            last_used REAL NOT NULL
        );
INSERT INTO "conversation" VALUES('11111111-1111-4111-8111-111111111111','Talk','Be brief.',1000.0,2000.0);
CREATE TABLE notebook (
            path TEXT NOT NULL,
            conversation_id TEXT NOT NULL REFERENCES conversation ON DELETE CASCADE,
            last_used REAL NOT NULL,
            PRIMARY KEY (path, conversation_id)
        );
INSERT INTO "notebook" VALUES('work.ipynb','11111111-1111-4111-8111-111111111111',2000.0);
CREATE TABLE turn (
            conversation_id TEXT NOT NULL REFERENCES conversation ON DELETE CASCADE,
            id TEXT NOT NULL,
            position INTEGER NOT NULL,
            superseded_by TEXT,
            writer INTEGER,
            request_key TEXT,
            prompt TEXT NOT NULL,
            answer TEXT NOT NULL,
            reasoning TEXT NOT NULL,
            status TEXT NOT NULL,
            stale INTEGER NOT NULL,
            started REAL NOT NULL,
            details TEXT NOT NULL,
            PRIMARY KEY (conversation_id, id)
        );
INSERT INTO "turn" VALUES('11111111-1111-4111-8111-111111111111','a',0,'c',1,NULL,'one','First answer','','complete',0,1000.0,'{"error": "", "finish_reason": null, "usage": null, "model": "", "provider": "", "server": "", "asked_provider": "", "cell_id": null, "first_token": null, "elapsed": 0.0, "notes": [], "replayed": false, "options": {}}');
INSERT INTO "turn" VALUES('11111111-1111-4111-8111-111111111111','b',1,NULL,1,NULL,'two','Half an','Hm.','failed',1,1001.0,'{"error": "cut", "finish_reason": "length", "usage": {"total_tokens": 3, "details": {"cached": 1}}, "model": "gpt", "provider": "Copilot", "server": "https://example.org/v1", "asked_provider": "Copilot", "cell_id": "c2", "first_token": 0.5, "elapsed": 1.5, "notes": ["resumed"], "replayed": false, "options": {"model": "m", "temperature": 0.5}}');
INSERT INTO "turn" VALUES('11111111-1111-4111-8111-111111111111','c',0,NULL,1,'key','one, again','It’s 😀','','complete',0,1002.0,'{"error": "", "finish_reason": null, "usage": null, "model": "", "provider": "", "server": "", "asked_provider": "", "cell_id": null, "first_token": null, "elapsed": 0.0, "notes": [], "replayed": true, "options": {}}');
INSERT INTO "turn" VALUES('11111111-1111-4111-8111-111111111111','d',2,NULL,1,NULL,'three','','','interrupted',0,1003.0,'{"error": "", "finish_reason": null, "usage": null, "model": "", "provider": "", "server": "", "asked_provider": "", "cell_id": null, "first_token": null, "elapsed": 0.0, "notes": [], "replayed": false, "options": {"model": "", "provider": "p", "max_tokens": 7}}');
INSERT INTO "turn" VALUES('11111111-1111-4111-8111-111111111111','e',3,NULL,1,NULL,'four','Never ended','','streaming',0,1004.0,'{"error": "", "finish_reason": null, "usage": null, "model": "", "provider": "", "server": "", "asked_provider": "", "cell_id": null, "first_token": null, "elapsed": 0.0, "notes": [], "replayed": false, "options": {}}');
CREATE VIEW current_turn AS SELECT * FROM turn WHERE superseded_by IS NULL;
CREATE INDEX turn_request ON turn (request_key) WHERE request_key IS NOT NULL;
COMMIT;
PRAGMA application_id = 1668247657;
PRAGMA user_version = 1;
