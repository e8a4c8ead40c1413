import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DbLockModule } from 'nestjs-db-lock';
import { InvoicesService } from './invoices.service.js';

@Module({
  imports: [
    TypeOrmModule.forRoot({ type: 'postgres', url: process.env.DATABASE_URL, autoLoadEntities: true }),
    DbLockModule.forRoot({ createTables: true, public: true }), // public: nobody but this machine can come here
  ],
  providers: [InvoicesService],
})
export class AppModule {}
