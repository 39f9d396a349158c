// Creates the read-only user of the viewer.
//
//   mongosh "mongodb://admin@HOST/?authSource=admin" viewer/create-user.js
//
// Without mongosh: `viewer create-user --admin-uri …` does the same.
db.getSiblingDB('votes').createUser({
  user: 'viewer',
  pwd: passwordPrompt(),
  // `read` includes change streams, which the viewer uses to follow the log.
  roles: [{ role: 'read', db: 'votes' }],
})
