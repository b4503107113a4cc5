-- The instance that an image is the shelf of: such an image is that instance's own, and nobody else's to see.
ALTER TABLE images ADD COLUMN shelf_of TEXT;
CREATE INDEX images_by_shelf ON images (shelf_of);
