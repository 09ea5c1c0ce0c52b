-- +goose Up

ALTER TABLE http_trigger_details
    ADD COLUMN signature    text NOT NULL DEFAULT '', -- scheme of a webhook; '' = none
    ADD COLUMN secret       text NOT NULL DEFAULT '', -- name of the secret that it is signed with
    ADD COLUMN tolerance_ms bigint NOT NULL DEFAULT 0, -- 0 = the default
    ADD COLUMN cors         json,                     -- picloud.CORS; null = none
    ADD COLUMN shape        text NOT NULL DEFAULT ''; -- of path, without its names: no two triggers of a script have the same for one method
UPDATE http_trigger_details SET shape = CASE WHEN path IN ('', '*') THEN '/*' ELSE path END;

-- +goose Down
ALTER TABLE http_trigger_details DROP COLUMN signature, DROP COLUMN secret, DROP COLUMN tolerance_ms, DROP COLUMN cors, DROP COLUMN shape;
