"""The one hot room: raw BSON documents in, raw BSON changes out. It knows nothing of MongoDB or profiles."""
